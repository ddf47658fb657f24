/** Whether some, or every, element over axes is true. */

import { ShapeError } from "../../compiler/errors.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import type { Op } from "../../compiler/graph/op.ts";
import type { Axes, Reduced } from "../../compiler/model/shape_types.ts";
import { defineOp } from "../define_op.ts";
import { axesOf } from "../views/axis.ts";
import { reshape } from "../views/reshape.ts";
import { count, forEachIndex, offsetOf } from "../views/walk.ts";
import { keepDims, keptIndex, reducedShape, type ReduceOptions } from "./axes.ts";

function quantifier(name: "any" | "all"): Op<{ axes: readonly number[] }> {
  const decided = name === "any" ? 1 : 0;
  return defineOp<{ axes: readonly number[] }>({
    name,
    infer([x], { axes }) {
      if (x!.dtype !== "bool") {
        throw new ShapeError(`${name}: takes bool, not ${showType(x!)}; compare first, as in notEqual(x, 0)`);
      }
      return [{ shape: reducedShape(x!.shape, axes), dtype: "bool" }];
    },
    gradient: () => [null],
    reference([x], { axes }, { inputs, outputs }) {
      const { shape } = outputs[0]!;
      const out = new Uint8Array(count(shape)).fill(1 - decided);
      forEachIndex(inputs[0]!.shape, (index, i) => {
        if (x![i] === decided) out[offsetOf(index.filter((_, a) => !axes.includes(a)), shape)] = decided;
      });
      return [out];
    },
    lower(k, [x], at, { attrs: { axes } }) {
      const extents = axes.map((a) => x!.shape[a]!);
      const kind = name === "any" ? "max" : "min";
      return k.reduce(kind, extents, at, (bound) => x!.at(keptIndex(x!.shape.length, axes, at, bound)));
    },
    samples: [
      { inputs: [{ shape: [6, 3], dtype: "bool" }], attrs: { axes: [1] } },
      { inputs: [{ shape: [3, 6], dtype: "bool" }], attrs: { axes: [0] } },
      { inputs: [{ shape: [3, 2, 2], dtype: "bool" }], attrs: { axes: [0, 2] } },
      { inputs: [{ shape: [2, 0], dtype: "bool" }], attrs: { axes: [1] } },
    ],
  });
}

export const anyOp = quantifier("any");
export const allOp = quantifier("all");

/**
 * Whether some element over axes is true; false where there is none.
 *
 * @param axes One axis, several, or (by default) all; negative from the end.
 * @param options `keepDims`: reduced axes stay with size 1.
 * @example
 * ```ts
 * import { all, any, greater, input, isnan, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 8], "f32") }, ({ x }) => ({ bad: any(isnan(x)), positive: all(greater(x, 0), 1) }));
 * ```
 */
export function any<
  S extends Shape,
  const X extends Axes = undefined,
  K extends boolean | undefined = undefined,
>(
  x: Tensor<S, "bool">,
  axes?: X,
  options: ReduceOptions<K> = {},
): Tensor<Reduced<S, X, K>, "bool"> {
  return quantified(anyOp, x, axes, options) as Tensor as Tensor<Reduced<S, X, K>, "bool">;
}

/**
 * Whether every element over axes is true; true where there is none.
 *
 * @param axes One axis, several, or (by default) all; negative from the end.
 * @param options `keepDims`: reduced axes stay with size 1.
 */
export function all<
  S extends Shape,
  const X extends Axes = undefined,
  K extends boolean | undefined = undefined,
>(
  x: Tensor<S, "bool">,
  axes?: X,
  options: ReduceOptions<K> = {},
): Tensor<Reduced<S, X, K>, "bool"> {
  return quantified(allOp, x, axes, options) as Tensor as Tensor<Reduced<S, X, K>, "bool">;
}

function quantified(
  op: Op<{ axes: readonly number[] }>,
  x: Tensor,
  axes: Axes,
  options: ReduceOptions,
): Tensor {
  const list = axesOf(op.name, axes, x.shape);
  const out = list.length === 0 ? x : apply(op, [x], { axes: list });
  return options.keepDims ? reshape(out, keepDims(x.shape, list)) : out;
}
