import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { type Shape, showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Permuted, Transposed } from "../../compiler/model/shape_types.ts";
import { defineOp } from "../define_op.ts";
import { axisOf } from "./axis.ts";
import { gatherBy } from "./walk.ts";

/** Axis i of the result is axis `order[i]` of the input. */
export const permuteOp = defineOp<{ order: readonly number[] }>({
  name: "permute",
  infer([x], { order }) {
    if (order.length !== x!.shape.length || new Set(order).size !== order.length) {
      throw new ShapeError(
        `permute: [${order.join(", ")}] is not an order of the ${
          counted(x!.shape.length, "axis", "axes")
        } of ${showShape(x!.shape)}; name each axis once, such as [${
          x!.shape.map((_, a) => a).reverse().join(", ")
        }]`,
      );
    }
    return [{ shape: order.map((a) => x!.shape[a]!), dtype: x!.dtype }];
  },
  gradient: (
    { cotangents: [g], attrs: { order } },
  ) => [g ? permute(g, order.map((_, i) => order.indexOf(i))) : null],
  reference([x], { order }, { inputs, outputs }) {
    return [gatherBy(x!, inputs[0]!, outputs[0]!, (index) => order.map((_, i) => index[order.indexOf(i)]!))];
  },
  lower(_k, [x], at, { attrs: { order } }) {
    const index = new Array(order.length);
    order.forEach((axis, i) => index[axis] = at[i]!);
    return x!.at(index);
  },
  view: true,
  samples: [
    { inputs: [{ shape: [3, 5] }], attrs: { order: [1, 0] } },
    { inputs: [{ shape: [2, 3, 4] }], attrs: { order: [2, 0, 1] } },
  ],
});

/**
 * Reorders the axes. Costs nothing: a view.
 *
 * @param order For each axis of the result, the axis of `x` it comes from (negative from the end).
 * @example
 * ```ts
 * import { input, model, permute } from "@weft/weft";
 *
 * model({ image: input(["batch", 28, 28, 3], "f32") }, ({ image }) => ({ x: permute(image, [0, 3, 1, 2]) }));
 * ```
 */
export function permute<S extends Shape, D extends DType, const O extends readonly number[]>(
  x: Tensor<S, D>,
  order: O,
): Tensor<Permuted<S, O>, D> {
  const axes = order.map((a) => axisOf("permute", a, x.shape));
  if (axes.length === x.shape.length && axes.every((a, i) => a === i)) {
    return x as Tensor as Tensor<Permuted<S, O>, D>;
  }
  return apply(permuteOp, [x], { order: axes }) as Tensor<Permuted<S, O>, D>;
}

/**
 * Swaps the last two axes: the transpose of each matrix.
 *
 * @example
 * ```ts
 * import { input, model, transpose } from "@weft/weft";
 *
 * model({ x: input(["batch", 3, 5], "f32") }, ({ x }) => ({ y: transpose(x) })); // [batch, 5, 3]
 * ```
 */
export function transpose<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<Transposed<S>, D> {
  const rank = x.shape.length;
  if (rank < 2) throw new ShapeError(`transpose: ${showShape(x.shape)} has fewer than two axes`);
  const order: readonly number[] = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  return permute(x, order) as Tensor as Tensor<Transposed<S>, D>;
}
