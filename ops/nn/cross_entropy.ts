/**
 * Cross-entropy of logits against class labels.
 *
 * The picked logit is Σ_v where(v == label, x_v, 0) and not a gather: a reduction of the row like the sum of
 * exponentials, so loss and gradient are one pass over each row.
 */

import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { LabelsFit } from "../../compiler/model/shape_types.ts";
import { composite } from "../composite.ts";
import { add, mul, sub } from "../elementwise/arithmetic.ts";
import { equal } from "../elementwise/comparison.ts";
import { exp, log } from "../elementwise/exponential.ts";
import { where } from "../elementwise/select.ts";
import { iota } from "../leaves.ts";
import { mean } from "../reduce/mean.ts";
import { sum } from "../reduce/sum.ts";
import { expandDims } from "../views/squeeze.ts";
import { checkLabels, meanOfRows, withLabels } from "./labels.ts";
import { shiftedByMax } from "./softmax.ts";

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions {
  /** Rows with this label count neither in the sum nor in the mean. Default: none. */
  readonly ignoreIndex?: number;
  /** Part of the target that is spread evenly over all classes. Default 0. */
  readonly smoothing?: number;
}

/**
 * The mean over rows of −log softmax(logits)[label].
 *
 * A label outside 0 ≤ label < V that is not `ignoreIndex` makes the loss NaN, since labels are numbers on the device
 * that nobody looks at before a run; and a training step that goes on from there makes every parameter NaN. A loop that
 * reads a loss now and then should stop where it is not finite (`Number.isFinite`). Where every row is ignored the loss
 * is 0.
 *
 * @param logits [..., V], before any softmax.
 * @param labels [...], i32.
 * @example
 * ```ts
 * import { crossEntropy, input, linear, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 4], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
 *   return { loss: crossEntropy(linear(4, 3)(x), y) };
 * });
 * ```
 */
export function crossEntropy<S extends Shape, D extends DType, L extends Shape>(
  logits: Tensor<S, D>,
  labels: Tensor<L, "i32"> & LabelsFit<"crossEntropy", S, L>,
  options: CrossEntropyOptions = {},
): Tensor<readonly [], D> {
  const rows: Tensor = crossEntropyRows(logits as Tensor, labels as Tensor<Shape, "i32">, options);
  return composite(
    "crossEntropy",
    () => meanOfRows(rows, labels as Tensor, options.ignoreIndex),
  ) as Tensor as Tensor<
    readonly [],
    D
  >;
}

/**
 * The loss of each row: [...]. Ignored rows are 0.
 *
 * @example
 * ```ts
 * import { argmax, crossEntropyRows, input, model } from "@weft/weft";
 *
 * // The hardest row of a batch.
 * model({ x: input(["batch", 10], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
 *   return { worst: argmax(crossEntropyRows(x, y)) };
 * });
 * ```
 */
export function crossEntropyRows<S extends Shape, D extends DType, L extends Shape>(
  logits: Tensor<S, D>,
  labels: Tensor<L, "i32"> & LabelsFit<"crossEntropy", S, L>,
  { ignoreIndex, smoothing = 0 }: CrossEntropyOptions = {},
): Tensor<L, D> {
  checkLabels("crossEntropy", "logits", logits, labels);
  if (!(smoothing >= 0 && smoothing < 1)) {
    throw new ShapeError(`crossEntropy: smoothing is ${smoothing}; it must be from 0 up to below 1`);
  }
  const label = labels as Tensor;
  return composite("crossEntropy", () => {
    const classes = logits.shape.at(-1)!;
    // All relative to the largest logit: near a certain answer the loss keeps its digits.
    const { shifted } = shiftedByMax(logits, -1);
    const hit = equal(iota([classes]), expandDims(label, -1));
    const picked = sum(where(hit, shifted, 0), -1);
    const target = smoothing === 0
      ? picked
      : add(mul(picked, 1 - smoothing), mul(mean(shifted, -1), smoothing));
    const loss = sub(log(sum(exp(shifted), -1)), target);
    return withLabels(loss, label, classes, ignoreIndex);
  }) as Tensor<L, D>;
}
