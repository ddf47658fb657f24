import { type DType, isFloat } from "../../compiler/graph/dtype.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { addDims, elementsOf, type Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Axes, Reduced } from "../../compiler/model/shape_types.ts";
import { composite } from "../composite.ts";
import { div, square, sub } from "../elementwise/arithmetic.ts";
import { sizeOf } from "../leaves.ts";
import { axesOf } from "../views/axis.ts";
import type { ReduceOptions } from "./axes.ts";
import { mean } from "./mean.ts";
import { sum } from "./sum.ts";

/** Options of `variance`. */
export interface VarianceOptions<Keep extends boolean | undefined = boolean | undefined>
  extends ReduceOptions<Keep> {
  /** The sum of squares is divided by n − correction. Default 0; 1 for the unbiased estimate. */
  readonly correction?: number;
}

/**
 * The average squared distance from the mean over axes, in two passes: no difference of large sums. NaN where n is not
 * larger than the correction.
 *
 * @param axes One axis, several, or (by default) all; negative from the end.
 * @throws ShapeError for integers and bool.
 * @example
 * ```ts
 * import { input, model, variance } from "@weft/weft";
 *
 * model({ x: input(["batch", 8], "f32") }, ({ x }) => ({ all: variance(x, 1), estimate: variance(x, 1, { correction: 1 }) }));
 * ```
 */
export function variance<
  S extends Shape,
  D extends DType,
  const X extends Axes = undefined,
  K extends boolean | undefined = undefined,
>(x: Tensor<S, D>, axes?: X, options: VarianceOptions<K> = {}): Tensor<Reduced<S, X, K>, D> {
  if (!isFloat(x.dtype)) throw new ShapeError(`variance: of ${x.dtype}; use cast(x, "f32") first`);
  return composite("variance", () => {
    const list = axesOf("variance", axes, x.shape);
    const squares: Tensor = square(sub(x as Tensor, mean(x as Tensor, list, { keepDims: true })));
    const n = elementsOf(list.map((axis) => x.shape[axis]!));
    const divisor = sizeOf(addDims(n, -(options.correction ?? 0)), x.dtype);
    return div(sum(squares, list, options), divisor) as Tensor as Tensor<Reduced<S, X, K>, D>;
  });
}
