/** Where the largest and smallest elements along an axis are. */

import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { type Shape, showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Op } from "../../compiler/graph/op.ts";
import type { Reduced } from "../../compiler/model/shape_types.ts";
import { defineOp } from "../define_op.ts";
import { axisOf } from "../views/axis.ts";
import { reshape } from "../views/reshape.ts";
import { count, forEachIndex, offsetOf } from "../views/walk.ts";
import { keepDims, keptIndex, reducedShape, type ReduceOptions } from "./axes.ts";

function argExtremum(name: "argmax" | "argmin"): Op<{ axis: number }> {
  const better = name === "argmax" ? (a: number, b: number) => a > b : (a: number, b: number) => a < b;
  return defineOp<{ axis: number }>({
    name,
    infer([x], { axis }) {
      if (x!.dtype === "bool") throw new ShapeError(`${name}: bool has no order; use cast(x, "i32")`);
      if (x!.shape[axis] === 0) {
        throw new ShapeError(
          `${name}: axis ${axis} of ${showShape(x!.shape)} is empty, so there is no such index`,
        );
      }
      return [{ shape: reducedShape(x!.shape, [axis]), dtype: "i32" }];
    },
    gradient: () => [null],
    reference([x], { axis }, { inputs, outputs }) {
      const { shape } = outputs[0]!;
      const out = new Int32Array(count(shape)).fill(-1);
      const best = new Float64Array(out.length);
      forEachIndex(inputs[0]!.shape, (index, i) => {
        const to = offsetOf(index.filter((_, a) => a !== axis), shape);
        // The first NaN wins for good.
        const wins = better(x![i]!, best[to]!) || (Number.isNaN(x![i]!) && !Number.isNaN(best[to]!));
        if (out[to] === -1 || wins) [out[to], best[to]] = [index[axis]!, x![i]!];
      });
      return [out];
    },
    lower(k, [x], at, { attrs: { axis } }) {
      return k.reduce(
        name,
        [x!.shape[axis]!],
        at,
        (bound) => x!.at(keptIndex(x!.shape.length, [axis], at, bound)),
      );
    },
    jumps: true,
    samples: [
      { inputs: [{ shape: [4, 7], lo: -1, hi: 1 }], attrs: { axis: 1 } },
      { inputs: [{ shape: [5, 6], lo: -1, hi: 1 }], attrs: { axis: 0 } },
      { inputs: [{ shape: [3, 1] }], attrs: { axis: 1 } },
      { inputs: [{ shape: [3, 8], dtype: "i32", lo: -5, hi: 5 }], attrs: { axis: 1 } },
      {
        inputs: [{
          shape: [4, 3],
          values: [1, 2, 2, 0, NaN, NaN, -Infinity, -Infinity, -Infinity, 1, 1, Infinity],
        }],
        attrs: { axis: 1 },
        note: "ties and special values",
      },
    ],
  });
}

export const argmaxOp = argExtremum("argmax");
export const argminOp = argExtremum("argmin");

/**
 * The index (i32) of the largest element along an axis: the first of equals, and the first NaN if there is one.
 *
 * @param axis Default: the last.
 * @param options `keepDims`: the axis stays with size 1.
 * @throws ShapeError where the axis is empty.
 * @example
 * ```ts
 * import { argmax, cast, equal, input, mean, model } from "@weft/weft";
 *
 * model({ logits: input(["batch", 10], "f32"), label: input(["batch"], "i32") }, ({ logits, label }) => {
 *   return { accuracy: mean(cast(equal(argmax(logits), label), "f32")) };
 * });
 * ```
 */
export function argmax<
  S extends Shape,
  const X extends number = -1,
  K extends boolean | undefined = undefined,
>(
  x: Tensor<S, DType>,
  axis?: X,
  options: ReduceOptions<K> = {},
): Tensor<Reduced<S, X, K>, "i32"> {
  return located(argmaxOp, x, axis, options) as Tensor as Tensor<Reduced<S, X, K>, "i32">;
}

/**
 * The index (i32) of the smallest element along an axis: the first of equals, and the first NaN if there is one.
 *
 * @param axis Default: the last.
 * @param options `keepDims`: the axis stays with size 1.
 * @throws ShapeError where the axis is empty.
 * @example
 * ```ts
 * import { argmin, input, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 8], "f32") }, ({ x }) => ({ nearest: argmin(x, 1) })); // i32[batch]
 * ```
 */
export function argmin<
  S extends Shape,
  const X extends number = -1,
  K extends boolean | undefined = undefined,
>(
  x: Tensor<S, DType>,
  axis?: X,
  options: ReduceOptions<K> = {},
): Tensor<Reduced<S, X, K>, "i32"> {
  return located(argminOp, x, axis, options) as Tensor as Tensor<Reduced<S, X, K>, "i32">;
}

function located(
  op: Op<{ axis: number }>,
  x: Tensor,
  axis: number | undefined,
  options: ReduceOptions,
): Tensor {
  const at = axisOf(op.name, axis ?? -1, x.shape);
  const out = apply(op, [x], { axis: at });
  return options.keepDims ? reshape(out, keepDims(x.shape, [at])) : out;
}
