import { ShapeError } from "../../compiler/errors.ts";
import { type DType, hostArray, isFloat } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Axes, Reduced } from "../../compiler/model/shape_types.ts";
import { defineOp } from "../define_op.ts";
import { div, mul } from "../elementwise/arithmetic.ts";
import { equal } from "../elementwise/comparison.ts";
import { cast } from "../elementwise/convert.ts";
import { and } from "../elementwise/logical.ts";
import { where } from "../elementwise/select.ts";
import { full } from "../leaves.ts";
import { axesOf } from "../views/axis.ts";
import { broadcastTo } from "../views/broadcast.ts";
import { reshape } from "../views/reshape.ts";
import { count, forEachIndex, offsetOf } from "../views/walk.ts";
import { keepDims, keptIndex, reducedShape, type ReduceOptions } from "./axes.ts";
import { sum } from "./sum.ts";

/** Π over `axes`; the empty product is 1. */
export const prodOp = defineOp<{ axes: readonly number[] }>({
  name: "prod",
  infer([x], { axes }) {
    if (x!.dtype === "bool") throw new ShapeError(`prod: bool has no arithmetic; use all, or cast(x, "i32")`);
    return [{ shape: reducedShape(x!.shape, axes), dtype: x!.dtype }];
  },
  /**
   * The product of the others. p is the product of what is not zero: without zeros the others have p / x; a single zero
   * has p, and everything else 0; with more zeros all is 0.
   */
  gradient({ inputs: [x], cotangents: [g], attrs: { axes } }) {
    if (!g) return [null];
    const kept = keepDims(x!.shape, axes);
    const spread = (t: Tensor): Tensor => broadcastTo(reshape(t, kept), x!.shape);
    const isZero = equal(x!, 0);
    const divisor: Tensor = where(isZero, full(x!.shape, 1, x!.dtype), x!);
    const scaled = spread(mul(g, apply(prodOp, [divisor], { axes })));
    const zeros = spread(sum(cast(isZero, "i32") as Tensor, axes));
    const none: Tensor = full(x!.shape, 0, x!.dtype);
    return [where(equal(zeros, 0), div(scaled, divisor), where(and(isZero, equal(zeros, 1)), scaled, none))];
  },
  reference([x], { axes }, { inputs, outputs }) {
    const { shape, dtype } = outputs[0]!;
    const out = hostArray(dtype, count(shape)).fill(1);
    forEachIndex(inputs[0]!.shape, (index, i) => {
      const to = offsetOf(index.filter((_, a) => !axes.includes(a)), shape);
      out[to] = isFloat(dtype) ? out[to]! * x![i]! : Math.imul(out[to]!, x![i]!);
    });
    return [out];
  },
  lower(k, [x], at, { attrs: { axes } }) {
    const extents = axes.map((a) => x!.shape[a]!);
    return k.reduce("prod", extents, at, (bound) => x!.at(keptIndex(x!.shape.length, axes, at, bound)));
  },
  terms: ([x], { axes }) => axes.reduce((n, a) => n * x!.shape[a]!, 1),
  samples: [
    { inputs: [{ shape: [4, 7], lo: -2, hi: 2 }], attrs: { axes: [1] } },
    { inputs: [{ shape: [5, 6], lo: 0.5, hi: 2 }], attrs: { axes: [0] } },
    { inputs: [{ shape: [3, 4, 2], lo: -2, hi: 2 }], attrs: { axes: [0, 2] } },
    { inputs: [{ shape: [3, 3], values: [2, 0, 3, 0, 5, 0, 7, 11, -13] }], attrs: { axes: [1] } },
    { inputs: [{ shape: [2, 0] }], attrs: { axes: [1] } },
    { inputs: [{ shape: [3, 8], dtype: "i32", lo: -50, hi: 50 }], attrs: { axes: [1] } },
    { inputs: [{ shape: [2], values: [Infinity, NaN] }], attrs: { axes: [0] }, note: "special values" },
  ],
});

/**
 * Π over axes; 1 where there is nothing to multiply. The gradient is right where elements are 0; that of the gradient is
 * right only where they are not.
 *
 * @param axes One axis, several, or (by default) all; negative from the end.
 * @param options `keepDims`: reduced axes stay with size 1.
 * @example
 * ```ts
 * import { input, model, prod } from "@weft/weft";
 *
 * model({ p: input(["batch", 8], "f32") }, ({ p }) => ({ joint: prod(p, 1) }));
 * ```
 */
export function prod<
  S extends Shape,
  D extends DType,
  const X extends Axes = undefined,
  K extends boolean | undefined = undefined,
>(x: Tensor<S, D>, axes?: X, options: ReduceOptions<K> = {}): Tensor<Reduced<S, X, K>, D> {
  const list = axesOf("prod", axes, x.shape);
  const out: Tensor = list.length === 0 ? x : apply(prodOp, [x], { axes: list });
  return (options.keepDims ? reshape(out, keepDims(x.shape, list)) : out) as Tensor<Reduced<S, X, K>, D>;
}
