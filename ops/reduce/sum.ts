import { hostArray } from "../../compiler/graph/dtype.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Axes, Reduced } from "../../compiler/model/shape_types.ts";
import { defineOp } from "../define_op.ts";
import { axesOf } from "../views/axis.ts";
import { broadcastTo } from "../views/broadcast.ts";
import { reshape } from "../views/reshape.ts";
import { count, forEachIndex, offsetOf } from "../views/walk.ts";
import { keepDims, keptIndex, reducedShape, type ReduceOptions } from "./axes.ts";
import { ShapeError } from "../../compiler/errors.ts";

/** Σ over `axes`; the empty sum is 0. */
export const sumOp = defineOp<{ axes: readonly number[] }>({
  name: "sum",
  infer([x], { axes }) {
    if (x!.dtype === "bool") throw new ShapeError(`sum: bool has no arithmetic; use cast(x, "i32") to count`);
    return [{ shape: reducedShape(x!.shape, axes), dtype: x!.dtype }];
  },
  gradient({ inputs: [x], cotangents: [g], attrs: { axes } }) {
    return [g ? broadcastTo(reshape(g, keepDims(x!.shape, axes)), x!.shape) : null];
  },
  reference([x], { axes }, { inputs, outputs }) {
    const out = hostArray(outputs[0]!.dtype, count(outputs[0]!.shape));
    forEachIndex(inputs[0]!.shape, (index, i) => {
      out[offsetOf(index.filter((_, a) => !axes.includes(a)), outputs[0]!.shape)]! += x![i]!;
    });
    return [out];
  },
  lower(k, [x], at, { attrs: { axes } }) {
    const extents = axes.map((a) => x!.shape[a]!);
    return k.reduce("sum", extents, at, (bound) => x!.at(keptIndex(x!.shape.length, axes, at, bound)));
  },
  terms: ([x], { axes }) => axes.reduce((n, a) => n * x!.shape[a]!, 1),
  samples: [
    { inputs: [{ shape: [4, 7], lo: -1, hi: 1 }], attrs: { axes: [1] } },
    { inputs: [{ shape: [5, 6], lo: -1, hi: 1 }], attrs: { axes: [0] } },
    { inputs: [{ shape: [3, 4, 5], lo: -1, hi: 1 }], attrs: { axes: [0, 2] } },
    { inputs: [{ shape: [33], lo: -1, hi: 1 }], attrs: { axes: [0] } },
    { inputs: [{ shape: [2, 0] }], attrs: { axes: [1] } },
    { inputs: [{ shape: [3, 8], dtype: "i32", lo: -50, hi: 50 }], attrs: { axes: [1] } },
  ],
});

/**
 * Σ over axes.
 *
 * @param axes One axis, several, or (by default) all; negative from the end.
 * @param options `keepDims`: reduced axes stay with size 1.
 * @example
 * ```ts
 * import { input, model, sum } from "@weft/weft";
 *
 * model({ x: input(["batch", 8], "f32") }, ({ x }) => ({ rows: sum(x, 1), total: sum(x), kept: sum(x, 0, { keepDims: true }) }));
 * ```
 */
export function sum<
  S extends Shape,
  D extends DType,
  const X extends Axes = undefined,
  K extends boolean | undefined = undefined,
>(x: Tensor<S, D>, axes?: X, options?: ReduceOptions<K>): Tensor<Reduced<S, X, K>, D> {
  const list = axesOf("sum", axes, x.shape);
  const out = list.length === 0 ? x : apply(sumOp, [x], { axes: list });
  return (options?.keepDims ? reshape(out, keepDims(x.shape, list)) : out) as Tensor<Reduced<S, X, K>, D>;
}
