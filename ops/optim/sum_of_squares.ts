import { ShapeError } from "../../compiler/errors.ts";
import { apply } from "../../compiler/graph/build.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import { reduceAll } from "../../compiler/schedule/reduce_all.ts";
import { defineOp } from "../define_op.ts";
import { mul } from "../elementwise/arithmetic.ts";
import { broadcastTo } from "../views/broadcast.ts";

/** Σ x² over all elements of all inputs: one op, so that tensors laid side by side are summed in one go. */
export const sumOfSquaresOp = defineOp<Record<never, never>>({
  name: "sumOfSquares",
  infer(inputs) {
    const other = inputs.find((t) => t.dtype !== "f32");
    if (other) throw new ShapeError(`sumOfSquares: takes f32, not ${showType(other)}; use cast(x, "f32")`);
    return [{ shape: [], dtype: "f32" }];
  },
  gradient({ inputs, cotangents: [g] }) {
    return inputs.map((x) => g ? mul(mul(broadcastTo(g, x.shape), 2), x) : null);
  },
  reference(inputs) {
    let total = 0;
    for (const x of inputs) for (const v of x) total += v * v;
    return [Float64Array.of(total)];
  },
  lower: reduceAll((k, x) => k.mul(x, x)),
  terms: (inputs) => inputs.reduce((n, t) => n + t.shape.reduce((p, d) => p * d, 1), 0),
  samples: [
    { inputs: [{ shape: [3, 4], lo: -1, hi: 1 }], attrs: {} },
    {
      inputs: [{ shape: [7], lo: -1, hi: 1 }, { shape: [2, 5], lo: -1, hi: 1 }, { shape: [], lo: -1, hi: 1 }],
      attrs: {},
    },
  ],
});

/** Σ x² over all elements of all tensors (f32). */
export function sumOfSquares(tensors: readonly Tensor[]): Tensor<readonly [], "f32"> {
  return apply(sumOfSquaresOp, tensors, {}) as Tensor<readonly [], "f32">;
}
