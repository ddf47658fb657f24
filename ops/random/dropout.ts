import { ShapeError } from "../../compiler/errors.ts";
import { type DType, isFloat } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import { mul } from "../elementwise/arithmetic.ts";
import { where } from "../elementwise/select.ts";
import type { RandomOptions } from "./bits.ts";
import { bernoulli } from "./distributions.ts";

/**
 * Sets each element to 0 with probability `rate` and scales the others by 1 / (1 − rate), so that sums keep their
 * expectation (Srivastava et al. 2014).
 *
 * The mask is a function of key and stream: the gradient reads the same node, and it is computed again rather than
 * stored. Leave the call out where nothing is trained.
 *
 * @param rate From 0 (nothing is dropped: x itself) up to, and without, 1.
 * @example
 * ```ts
 * import { dropout, input, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 16], "f32") }, ({ x }) => ({ y: dropout(x, 0.1) })); // drops in every program
 * ```
 */
export function dropout<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  rate: number,
  options: RandomOptions = {},
): Tensor<S, D> {
  if (!(rate >= 0 && rate < 1)) {
    throw new ShapeError(`dropout: the rate ${rate} must be at least 0 and less than 1`);
  }
  if (!isFloat(x.dtype)) {
    throw new ShapeError(`dropout: ${showType(x)} cannot be scaled by 1 / (1 - rate); use cast(x, "f32")`);
  }
  if (rate === 0) return x;
  return where(bernoulli(1 - rate, x.shape, options), mul(x, 1 / (1 - rate)), 0) as Tensor<
    Shape,
    D
  > as Tensor<S, D>;
}
