import { ShapeError } from "../../compiler/errors.ts";
import { type DType, isFloat } from "../../compiler/graph/dtype.ts";
import { elementsOf, type Shape } from "../../compiler/graph/dim.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import type { Axes, Reduced } from "../../compiler/model/shape_types.ts";
import { div } from "../elementwise/arithmetic.ts";
import { sizeOf } from "../leaves.ts";
import { axesOf } from "../views/axis.ts";
import type { ReduceOptions } from "./axes.ts";
import { sum } from "./sum.ts";

/**
 * The average over axes; NaN where there is nothing to average.
 *
 * @param axes One axis, several, or (by default) all; negative from the end.
 * @param options `keepDims`: reduced axes stay with size 1.
 * @throws ShapeError for integers and bool.
 * @example
 * ```ts
 * import { input, mean, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 3, 8, 8], "f32") }, ({ x }) => ({ perChannel: mean(x, [0, 2, 3]), all: mean(x) }));
 * ```
 */
export function mean<
  S extends Shape,
  D extends DType,
  const X extends Axes = undefined,
  K extends boolean | undefined = undefined,
>(
  x: Tensor<S, D>,
  axes?: X,
  options: ReduceOptions<K> = {},
): Tensor<Reduced<S, X, K>, D> {
  if (!isFloat(x.dtype)) {
    throw new ShapeError(
      `mean: of ${showType(x)}, whose quotients are no ${x.dtype}; use cast(x, "f32") first`,
    );
  }
  const list = axesOf("mean", axes, x.shape);
  const count = sizeOf(elementsOf(list.map((axis) => x.shape[axis]!)), x.dtype);
  return div(sum(x as Tensor, list, options), count) as Tensor as Tensor<Reduced<S, X, K>, D>;
}
