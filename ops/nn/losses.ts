/** Losses between tensors of equal shapes. Shapes must be equal: a loss that broadcasts hides mistakes. */

import { ShapeError } from "../../compiler/errors.ts";
import { type DType, isFloat } from "../../compiler/graph/dtype.ts";
import { sameShape, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import type { SameShape } from "../../compiler/model/shape_types.ts";
import { composite } from "../composite.ts";
import { abs, add, mul, neg, square, sub } from "../elementwise/arithmetic.ts";
import { greater, lessEqual } from "../elementwise/comparison.ts";
import { exp, log, log1p } from "../elementwise/exponential.ts";
import { where } from "../elementwise/select.ts";
import { relu } from "./activations.ts";
import { mean } from "../reduce/mean.ts";
import { sum } from "../reduce/sum.ts";

/** A loss of one number, f32 or f16 as its operands. */
export type Loss<D extends DType> = Tensor<readonly [], D>;

/**
 * The mean of (prediction − target)².
 *
 * @example
 * ```ts
 * import { input, linear, model, mse } from "@weft/weft";
 *
 * model({ x: input(["batch", 4], "f32"), y: input(["batch", 1], "f32") }, ({ x, y }) => {
 *   return { loss: mse(linear(4, 1)(x), y) };
 * });
 * ```
 */
export function mse<S extends Shape, D extends DType, T extends Shape>(
  prediction: Tensor<S, D>,
  target: Tensor<T, NoInfer<D>> & SameShape<"mse", S, T>,
): Loss<D> {
  return loss("mse", prediction, target, (p, t) => mean(square(sub(p, t))));
}

/** The mean of |prediction − target|; its gradient is 0 where they are equal. */
export function mae<S extends Shape, D extends DType, T extends Shape>(
  prediction: Tensor<S, D>,
  target: Tensor<T, NoInfer<D>> & SameShape<"mae", S, T>,
): Loss<D> {
  return loss("mae", prediction, target, (p, t) => mean(abs(sub(p, t))));
}

/**
 * The mean of d²/2 where |d| ≤ delta, of delta·(|d| − delta/2) beyond: outliers pull with a constant force.
 *
 * Source: Huber: Robust Estimation of a Location Parameter, 1964.
 *
 * @example
 * ```ts
 * import { huber, input, mae, model } from "@weft/weft";
 *
 * model({ x: input([4], "f32"), y: input([4], "f32") }, ({ x, y }) => ({ loss: huber(x, y, 0.5), mean: mae(x, y) }));
 * ```
 */
export function huber<S extends Shape, D extends DType, T extends Shape>(
  prediction: Tensor<S, D>,
  target: Tensor<T, NoInfer<D>> & SameShape<"huber", S, T>,
  delta = 1,
): Loss<D> {
  if (!(delta > 0)) throw new ShapeError(`huber: delta is ${delta}; it must be more than 0`);
  return loss("huber", prediction, target, (p, t) => {
    const d = sub(p, t);
    const size = abs(d);
    return mean(where(lessEqual(size, delta), mul(square(d), 0.5), mul(sub(size, delta / 2), delta)));
  });
}

/**
 * The mean binary cross-entropy of logits against probabilities: max(x, 0) − x·t + log(1 + exp(−|x|)), which neither
 * overflows nor loses the small losses of sure and right answers.
 *
 * @example
 * ```ts
 * import { bceWithLogits, input, linear, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 4], "f32"), y: input(["batch", 1], "f32") }, ({ x, y }) => {
 *   return { loss: bceWithLogits(linear(4, 1)(x), y) };
 * });
 * ```
 */
export function bceWithLogits<S extends Shape, D extends DType, T extends Shape>(
  logits: Tensor<S, D>,
  target: Tensor<T, NoInfer<D>> & SameShape<"bceWithLogits", S, T>,
): Loss<D> {
  return loss("bceWithLogits", logits, target, (x, t) => {
    return mean(add(sub(relu(x), mul(x, t)), log1p(exp(neg(abs(x))))));
  });
}

/**
 * Kullback–Leibler divergence Σ t·(log t − logp) over the last axis, the mean over all others. A target of 0 adds 0.
 *
 * @param logp Logarithms of probabilities, as `logSoftmax` gives.
 * @param target Probabilities.
 * @example
 * ```ts
 * import { input, klDivergence, logSoftmax, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 4], "f32"), p: input(["batch", 4], "f32") }, ({ x, p }) => {
 *   return { loss: klDivergence(logSoftmax(x), p) };
 * });
 * ```
 */
export function klDivergence<S extends Shape, D extends DType, T extends Shape>(
  logp: Tensor<S, D>,
  target: Tensor<T, NoInfer<D>> & SameShape<"klDivergence", S, T>,
): Loss<D> {
  return loss("klDivergence", logp, target, (q, t) => {
    const some = greater(t, 0);
    // The logarithm must not see the zeros: its gradient there is infinite, and 0 · ∞ is NaN.
    const term = mul(t, sub(log(where(some, t, 1)), q));
    return mean(sum(where(some, term, 0), -1));
  });
}

function loss<D extends DType>(
  name: string,
  prediction: Tensor,
  target: Tensor,
  f: (prediction: Tensor, target: Tensor) => Tensor,
): Loss<D> {
  if (!isFloat(prediction.dtype) || prediction.dtype !== target.dtype) {
    throw new ShapeError(
      `${name}: ${showType(prediction)} and ${showType(target)}; both must be f32 (or both f16): use cast`,
    );
  }
  if (!sameShape(prediction.shape, target.shape)) {
    throw new ShapeError(
      `${name}: shapes ${showShape(prediction.shape)} and ${
        showShape(target.shape)
      } differ; a loss does not ` +
        "broadcast: use reshape or expandDims",
    );
  }
  return composite(name, () => f(prediction, target)) as Loss<D>;
}
