/**
 * A loss of one's own: lines that 10, 50 and 90 percent of the points lie below. `deno run -A examples/quantiles.ts`
 *
 * Source of the loss: Koenker, Bassett: Regression Quantiles, 1978.
 */

import {
  adam,
  compile,
  constant,
  input,
  linear,
  maximum,
  mean,
  model,
  mul,
  openDevice,
  type Shape,
  sub,
  type Tensor,
  trainStep,
} from "../mod.ts";

const QUANTILES = [0.1, 0.5, 0.9] as const;

/** A point above a line costs q per unit of distance, one below it 1 − q. A loss is a function like any other. */
function pinball(prediction: Tensor<Shape, "f32">, y: Tensor<Shape, "f32">): Tensor<readonly [], "f32"> {
  const q = constant(QUANTILES, [3]);
  const above = sub(y, prediction);
  return mean(maximum(mul(above, q), mul(above, sub(q, 1))));
}

export const lines = model({ x: input(["points", 1], "f32"), y: input(["points", 1], "f32") }, ({ x, y }) => {
  const prediction = linear(1, 3)(x);
  return { prediction, loss: pinball(prediction, y) };
});

/** The part of the points below each line. */
export async function fitQuantiles(points = 200, steps = 600): Promise<readonly number[]> {
  const x = Float32Array.from({ length: points }, (_, i) => i / points);
  // Spread that grows to the right, from a sequence that fills (0, 1) evenly (Weyl).
  const y = x.map((x, i) => x + (0.1 + x) * ((i * 0.6180339887) % 1 - 0.5));
  using device = await openDevice({ device: "cpu" });
  using trainer = await compile(trainStep(lines, adam({ rate: 0.02 })), { device, sizes: { points } });
  for (let step = 0; step < steps; step++) trainer.run({ x, y });
  const prediction = await trainer.run({ x, y }).prediction.read();
  return QUANTILES.map((_, line) => y.filter((y, i) => y < prediction[3 * i + line]!).length / points);
}

if (import.meta.main) {
  (await fitQuantiles()).forEach((part, i) =>
    console.log(`quantile ${QUANTILES[i]}: ${part} of the points below`)
  );
}
