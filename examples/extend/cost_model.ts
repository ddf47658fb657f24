/** A new cost model, fitted to this device by three programs. `deno run -A examples/extend/cost_model.ts` */

import { add, Candidates, comparePlans, compile, type CostModel, type Device, gelu } from "../../mod.ts";
import { type GroupWork, input, layerNorm, linear, matmul, type Model, model } from "../../mod.ts";
import { openDevice, policies, printPlans } from "../../mod.ts";

const sum = (n: number) => model({ x: input([n], "f32") }, ({ x }) => ({ y: add(x, 1) }));
const product = model({ x: input([256, 256], "f32") }, ({ x }) => ({ y: matmul(x, x) }));

/** A kernel takes as long as its traffic or its arithmetic, whichever is longer, and a dispatch. */
async function roofline(device: Device, like: CostModel): Promise<CostModel> {
  const measure = async (net: Pick<Model, "graph">) => {
    let work: GroupWork | undefined; // what fusion counts of the kernel: bytes, operations, results
    const cost: CostModel = { ...like, groupMs: (one) => (work = one, 1) };
    const found = await comparePlans(net, { it: { cost, policy: policies.search } }, { device, rounds: 6 });
    return { ms: found.rows[0]!.timing!.ms, ...work! };
  };
  const [tiny, wide, deep] = [await measure(sum(1)), await measure(sum(1 << 21)), await measure(product)];
  const dispatchMs = tiny.ms;
  const bytesPerMs = (wide.reads + wide.writes) / Math.max(1e-3, wide.ms - dispatchMs);
  const stepsPerMs = deep.steps / Math.max(1e-3, deep.ms - dispatchMs);
  return {
    ...like,
    name: "roofline",
    groupMs: (w) => dispatchMs + Math.max((w.reads + w.writes) / bytesPerMs, w.steps / stepsPerMs),
  };
}

const net = model({ x: input([256, 256], "f32") }, ({ x }) => {
  return { y: layerNorm(add(linear(256, 256)(gelu(linear(256, 256)(x))), x)) };
});

/** Compares what both models expect with what is measured, and the plans that a search finds by each. */
export async function example(device: Device): Promise<void> {
  using program = await compile(net, { device });
  const { graph, cover, cost: shipped } = program.compiled;
  const fitted = await roofline(device, shipped);
  const by = (cost: CostModel) => ({ cost, policy: policies.search });
  const found = await comparePlans(net, { default: by(shipped), fitted: by(fitted) }, { device, rounds: 6 });
  console.log(printPlans(found));
  const { limits } = device.target;
  const expects = (cost: CostModel) => new Candidates(graph, { limits, cost }).estimates.planMs(cover);
  const [one, other, ms] = [expects(shipped), expects(fitted), found.rows[0]!.timing!.ms];
  console.log(
    `expected: ${one.toFixed(2)} ms by default, ${other.toFixed(2)} fitted; measured: ${ms.toFixed(2)}`,
  );
  if (!(other > ms / 8 && other < ms * 8)) throw new Error("the fitted model is not of this device");
}

if (import.meta.main) {
  using device = await openDevice();
  await example(device);
}
