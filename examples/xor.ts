/** The smallest network that needs two layers: exclusive or. `deno run -A examples/xor.ts` */

import {
  adam,
  bceWithLogits,
  compile,
  input,
  linear,
  model,
  openDevice,
  sigmoid,
  tanh,
  trainStep,
} from "../mod.ts";

export const xor = model({ x: input(["batch", 2], "f32"), y: input(["batch", 1], "f32") }, ({ x, y }) => {
  const hidden = linear(2, 8), out = linear(8, 1);
  const logit = out(tanh(hidden(x)));
  return { probability: sigmoid(logit), loss: bceWithLogits(logit, y) };
});

/** What the network answers to 00, 01, 10 and 11 when it has been trained. */
export async function trainXor(steps = 300): Promise<readonly number[]> {
  using device = await openDevice({ device: "cpu" });
  using trainer = await compile(trainStep(xor, adam({ rate: 0.05 })), { device, sizes: { batch: 4 } });
  const feeds = { x: new Float32Array([0, 0, 0, 1, 1, 0, 1, 1]), y: new Float32Array([0, 1, 1, 0]) };
  for (let step = 0; step < steps; step++) trainer.run(feeds);
  return [...await trainer.run(feeds).probability.read()];
}

if (import.meta.main) console.log((await trainXor()).map((p) => p.toFixed(3)).join(" "));
