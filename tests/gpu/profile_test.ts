/** Profiles on the machine's adapter: its peaks are sensible, and the parts are those of the whole. */

import assert from "node:assert/strict";
import { input, matmul, measurePeaks, model, openDevice, profileModel, softmax } from "../../mod.ts";
import { rooflineSvg } from "../../runtime/lab/roofline.ts";

const device = await openDevice({ device: "webgpu" });
const peaks = await measurePeaks(device);

Deno.test("an adapter's peaks are measured, and are those of no toy and no wonder", () => {
  const { bandwidth, gflops, dispatchMs, launchMs, clock } = peaks;
  assert(bandwidth.length >= 1 && bandwidth.every(({ gbPerS }) => gbPerS > 0.1 && gbPerS < 1e5));
  assert(gflops > 0.5 && gflops < 1e6, `${gflops}`);
  assert(dispatchMs >= 0 && dispatchMs < 20 && launchMs < 5, `${dispatchMs} ${launchMs}`);
  assert.match(clock, /^(timestamps|fences)$/);
});

Deno.test("a profile of a product and its rows counts what they do, and none is faster than its roof by far", async () => {
  const [m, k, n] = [256, 192, 320];
  const net = model(
    { a: input([m, k], "f32"), b: input([k, n], "f32") },
    ({ a, b }) => ({ y: softmax(matmul(a, b)) }),
  );
  const profile = await profileModel(net, { device, peaks, rounds: 5, name: "net" });
  const { kernels, totals } = profile;
  const product = kernels.find(({ schedule }) => schedule === "contraction")!;
  assert(product.work!.exact);
  // Two operations for each product, and little else.
  assert(
    product.work!.flops >= 2 * m * k * n && product.work!.flops < 2.2 * m * k * n,
    `${product.work!.flops}`,
  );
  assert(product.work!.reads >= 4 * (m * k + k * n) && product.work!.writes >= 4 * m * n);
  assert(kernels.every(({ ms, leastMs, roof }) => leastMs <= ms && roof!.ofRoof < 5));
  assert(totals.runMs > 0 && totals.ms > 0);
  assert.match(await rooflineSvg(profile), /^<svg/);
});
