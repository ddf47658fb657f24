/** f16 on the adapter: as 16-bit storage where it has that, and in pairs, as on adapters that lack it. */

import assert from "node:assert/strict";
import { policies } from "../../compiler/compile.ts";
import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import type { FusionPolicy } from "../../compiler/fuse/policy.ts";
import { testTarget } from "../../compiler/target.ts";
import {
  add,
  compile,
  concat,
  type Device,
  type DeviceTensor,
  init,
  input,
  model,
  mul,
  openDevice,
  setState,
  slice,
  state,
} from "../../mod.ts";
import { openAdapter } from "../../runtime/adapter.ts";
import { load } from "../../runtime/executable.ts";
import { quirksOf } from "../../runtime/quirks.ts";
import { compileCase, complaintOf } from "../support/compile_samples.ts";
import type { Way } from "../support/check_cases.ts";
import { GpuChecker } from "../support/gpu_checker.ts";
import {
  chainOfHalves,
  halfSampleCases,
  halvesToTrainOn,
  oddHalves,
  trainedHalves,
} from "../support/half_cases.ts";
import { openTint } from "../support/tint.ts";

const opened = await openAdapter();
const quirks = await quirksOf(opened);
opened.device.destroy();
const tint = await openTint();

const asIfWithout = { ...quirks, f16: { ...quirks.f16, ok: false } };
const kinds: { readonly [kind: string]: typeof quirks } = opened.adapter.features.includes("shader-f16")
  ? { "in 16 bits": quirks, "in pairs": asIfWithout }
  : { "in pairs": asIfWithout };

for (const [kind, profile] of Object.entries(kinds)) {
  Deno.test(`halves ${kind}: rows of odd length are cut, joined, summed and multiplied`, async () => {
    using device = await openDevice({ device: "webgpu", quirks: profile });
    assert.equal(device.target.features.f16, kind === "in 16 bits");
    const sample = oddHalves();
    const target = { ...testTarget, features: device.target.features, limits: device.target.limits };
    const { program } = compileCase(sample, { target, policy: policies.greedy });
    for (const kernel of program.kernels) {
      const wgsl = emitWgsl(kernel, target);
      assert.equal(await tint.complaint(wgsl), undefined, wgsl);
    }
    using executable = await load(program, device);
    const feeds = program.inputs.map(({ name, dtype }) => {
      const numbers = sample.feeds[name]!;
      return [name, dtype === "i32" ? Int32Array.from(numbers) : Float32Array.from(numbers)] as const;
    });
    const results = Object.entries(executable.run(Object.fromEntries(feeds)));
    const read = await Promise.all(results.map(async ([name, t]) => [name, await t.read()] as const));
    assert.equal(complaintOf(sample, Object.fromEntries(read), "device"), undefined);
  });

  Deno.test(`halves ${kind}: a state of odd size is updated in place; NaN, infinity and overflow are kept`, async () => {
    const net = model({ x: input([7], "f16") }, ({ x }) => {
      const average = state("average", [7], init.zeros(), "f16");
      const next = add(mul(average, 0.5), x);
      setState(average, next);
      return { joined: concat([slice(next, [{ stop: 3 }]), x], 0), large: mul(x, 60000) };
    });
    using device = await openDevice({ device: "webgpu", quirks: profile });
    using run = await compile(net, { device });
    const x = Float32Array.from([1, 2, -3, NaN, Infinity, 6, 7]);
    run.run({ x });
    const { joined, large } = run.run({ x });
    assert.deepEqual([...await joined.read()], [1.5, 3, -4.5, 1, 2, -3, NaN, Infinity, 6, 7]);
    assert.deepEqual([...await run.state.read("average")], [1.5, 3, -4.5, NaN, Infinity, 9, 10.5]);
    // SEMANTICS §6: "f32→f16 … overflow → ∞".
    const inf = Infinity;
    assert.deepEqual([...await large.read()], [60000, inf, -inf, NaN, inf, inf, inf]);
  });

  Deno.test(`halves ${kind}: parameters of f16 are trained as on the CPU`, async () => {
    const losses = async (device: Device): Promise<number[]> => {
      using run = await compile(trainedHalves(), { device, sizes: { batch: 3 } });
      const found: number[] = [];
      for (let step = 0; step < 5; step++) found.push(await run.run(halvesToTrainOn).loss.item());
      return found;
    };
    using gpu = await openDevice({ device: "webgpu", quirks: profile });
    using cpu = await openDevice({ device: "cpu" });
    const [got, want] = [await losses(gpu), await losses(cpu)];
    // A half is 11 bits; the steps of Adam depend on signs more than on sizes.
    want.forEach((loss, step) => assert.ok(Math.abs(got[step]! - loss) <= 2e-3 * loss, `${got} and ${want}`));
    assert.ok(want[4]! < want[0]!);
  });
}

if (kinds["in 16 bits"]) {
  Deno.test("halves computed in 16 bits: chains have the same bits on the adapter, fused and not, as on the CPU", async () => {
    const sample = chainOfHalves();
    const feeds = Object.fromEntries(
      Object.entries(sample.feeds).map(([name, numbers]) => [name, Float32Array.from(numbers)]),
    );
    const runOn = async (kind: "webgpu" | "cpu", policy: FusionPolicy) => {
      using device = await openDevice({ device: kind, ...kind === "webgpu" && { quirks } });
      const { program } = compileCase(sample, { target: device.target, policy, arithmetic: "f16" });
      if (kind === "webgpu") {
        for (const kernel of program.kernels) {
          const wgsl = emitWgsl(kernel, device.target);
          assert.match(wgsl, /^enable f16;/);
          assert.equal(await tint.complaint(wgsl), undefined, wgsl);
        }
      }
      using executable = await load(program, device);
      const results = executable.run(feeds) as unknown as Record<string, DeviceTensor>;
      // What has an exponential in it may differ by that between engines, fused or not.
      return {
        chain: await results.y0!.read(),
        curved: await results.y1!.read(),
        sum: await results.y2!.item(),
      };
    };
    const cpu = await runOn("cpu", policies.greedy);
    const fused = await runOn("webgpu", policies.greedy);
    const unfused = await runOn("webgpu", policies.none);
    assert.deepEqual(fused.chain, cpu.chain);
    assert.deepEqual(unfused.chain, cpu.chain);
    assert.deepEqual(unfused.curved, fused.curved);
    assert.equal(fused.sum, 4096);
    assert.equal(
      complaintOf(sample, { y0: fused.chain, y1: fused.curved, y2: [fused.sum] }, "device"),
      undefined,
    );
  });

  Deno.test("halves computed in 16 bits: every op gives what its reference says", async () => {
    using checker = await GpuChecker.open();
    const way: Way = { target: checker.target(), policy: policies.greedy, arithmetic: "f16" };
    await checker.check(halfSampleCases().map((sample) => [sample, way]));
  });
}

Deno.test("Tint accepts the kernels of every op with halves in pairs", async () => {
  const seen = new Set<string>();
  for (const sample of halfSampleCases()) {
    for (
      const kernel of compileCase(sample, { target: testTarget, policy: policies.greedy }).program.kernels
    ) {
      const wgsl = emitWgsl(kernel, testTarget);
      if (seen.has(wgsl)) continue;
      seen.add(wgsl);
      assert.equal(await tint.complaint(wgsl), undefined, `${sample.text}\n${wgsl}`);
    }
  }
  assert.ok(seen.size > 300, `${seen.size} kernels`);
});
