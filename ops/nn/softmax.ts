/** Softmax and its kin: functions over ops, each one kernel after fusion. */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { composite } from "../composite.ts";
import { div, sub } from "../elementwise/arithmetic.ts";
import { add } from "../elementwise/arithmetic.ts";
import { exp, log } from "../elementwise/exponential.ts";
import { isfinite } from "../elementwise/predicates.ts";
import { where } from "../elementwise/select.ts";
import { stopGradient } from "../markers.ts";
import { maxFast } from "../reduce/extremum.ts";
import { sum } from "../reduce/sum.ts";
import { squeeze } from "../views/squeeze.ts";

/**
 * x less its largest element: what keeps exp from overflowing. The shift cancels in every function below, so no
 * gradient needs to flow through it.
 *
 * The maximum may skip NaN: a NaN in x stays one in the difference, and from there it reaches the sum.
 */
export function shiftedByMax(x: Tensor, axis: number): { readonly shifted: Tensor; readonly shift: Tensor } {
  const shift = stopGradient(maxFast(x, axis));
  return { shifted: sub(x, shift), shift };
}

/**
 * exp(x) / Σ exp(x) along an axis. A row that is −∞ throughout gives NaN, as 0 / 0 does.
 *
 * @param axis Default: the last.
 * @example
 * ```ts
 * import { input, model, softmax } from "@weft/weft";
 *
 * model({ x: input(["batch", 10], "f32") }, ({ x }) => ({ p: softmax(x) }));
 * ```
 */
export function softmax<S extends Shape, D extends DType>(x: Tensor<S, D>, axis = -1): Tensor<S, D> {
  return composite("softmax", () => {
    const e = exp(shiftedByMax(x, axis).shifted);
    return div(e, sum(e, axis, { keepDims: true })) as Tensor as Tensor<S, D>;
  });
}

/** log(softmax(x)) along an axis, exact where softmax itself is too small for its type. */
export function logSoftmax<S extends Shape, D extends DType>(x: Tensor<S, D>, axis = -1): Tensor<S, D> {
  return composite("logSoftmax", () => {
    const { shifted } = shiftedByMax(x, axis);
    return sub(shifted, log(sum(exp(shifted), axis, { keepDims: true }))) as Tensor as Tensor<S, D>;
  });
}

/**
 * log Σ exp(x) along an axis, which is then gone. −∞ where all of x is, ∞ where some of it is.
 *
 * @example
 * ```ts
 * import { input, logSoftmax, logSumExp, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 10], "f32") }, ({ x }) => ({ total: logSumExp(x), logp: logSoftmax(x) }));
 * ```
 */
export function logSumExp<D extends DType>(x: Tensor<Shape, D>, axis = -1): Tensor<Shape, D> {
  return composite("logSumExp", () => {
    const top = stopGradient(maxFast(x, axis));
    // An infinite shift would give ∞ − ∞; without a shift the sum itself is 0 or ∞, and its logarithm is right.
    const shift = where(isfinite(top), top, 0);
    const total = add(log(sum(exp(sub(x, shift)), axis, { keepDims: true })), shift);
    return squeeze(total, axis) as Tensor as Tensor<Shape, D>;
  });
}
