import { type DType, isFloat } from "../../compiler/graph/dtype.ts";
import { ShapeError } from "../../compiler/errors.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Axes, Reduced } from "../../compiler/model/shape_types.ts";
import { composite } from "../composite.ts";
import { abs, div, mul, square } from "../elementwise/arithmetic.ts";
import { equal, greater } from "../elementwise/comparison.ts";
import { sqrt } from "../elementwise/exponential.ts";
import { and } from "../elementwise/logical.ts";
import { isfinite } from "../elementwise/predicates.ts";
import { where } from "../elementwise/select.ts";
import { stopGradient } from "../markers.ts";
import { axesOf } from "../views/axis.ts";
import { reshape } from "../views/reshape.ts";
import { reducedShape, type ReduceOptions } from "./axes.ts";
import { max, maxFast } from "./extremum.ts";
import { sum } from "./sum.ts";

/** Options of `norm`. */
export interface LengthOptions<Keep extends boolean | undefined = boolean | undefined>
  extends ReduceOptions<Keep> {
  /** 1: Σ|x|; 2 (default): √Σx²; Infinity: max |x|. */
  readonly order?: 1 | 2 | typeof Infinity;
}

/**
 * The length of vectors over axes. That of order 2 is computed from x / max|x|, so that squares neither overflow nor
 * vanish, and its gradient at the zero vector is 0.
 *
 * @param axes One axis, several, or (by default) all; negative from the end.
 * @throws ShapeError for integers and bool, and for other orders.
 * @example
 * ```ts
 * import { div, input, model, norm } from "@weft/weft";
 *
 * model({ x: input(["batch", 8], "f32") }, ({ x }) => ({ unit: div(x, norm(x, 1, { keepDims: true })) }));
 * ```
 */
export function norm<
  S extends Shape,
  D extends DType,
  const X extends Axes = undefined,
  K extends boolean | undefined = undefined,
>(x: Tensor<S, D>, axes?: X, options: LengthOptions<K> = {}): Tensor<Reduced<S, X, K>, D> {
  const { order = 2 } = options;
  if (!isFloat(x.dtype)) throw new ShapeError(`norm: of ${x.dtype}; use cast(x, "f32") first`);
  if (order !== 1 && order !== 2 && order !== Infinity) {
    throw new ShapeError(`norm: of order ${order}; orders are 1, 2 and Infinity`);
  }
  return composite("norm", () => {
    const list = axesOf("norm", axes, x.shape);
    const size: Tensor = abs(x as Tensor);
    if (order === 1) return sum(size, list, options) as Tensor as Tensor<Reduced<S, X, K>, D>;
    if (order === Infinity) return max(size, list, options) as Tensor as Tensor<Reduced<S, X, K>, D>;
    // The scale is constant for the gradient: it cancels. 0, ∞ and NaN need none.
    const top: Tensor = stopGradient(maxFast(size, list));
    const scale: Tensor = where(and(greater(top, 0), isfinite(top)), top, 1);
    const squares: Tensor = sum(square(div(x as Tensor, scale)), list, { keepDims: true });
    const nothing = equal(squares, 0);
    const root: Tensor = where(nothing, 0, sqrt(where(nothing, 1, squares)));
    const length = mul(scale, root);
    const kept = options.keepDims ? length : reshape(length, reducedShape(x.shape, list));
    return kept as Tensor as Tensor<Reduced<S, X, K>, D>;
  });
}
