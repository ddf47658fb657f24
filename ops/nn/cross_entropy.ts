/**
 * Cross-entropy of logits against class labels.
 *
 * The picked logit is Σ_v where(v == label, x_v, 0) and not a gather: a reduction of the row like the sum of
 * exponentials, so loss and gradient are one pass over each row.
 */

import { ShapeError } from "../../compiler/errors.ts";
import { type DType, isFloat } from "../../compiler/graph/dtype.ts";
import { sameShape, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import type { LabelsFit } from "../../compiler/model/shape_types.ts";
import { composite } from "../composite.ts";
import { add, div, mul, sub } from "../elementwise/arithmetic.ts";
import { equal, greaterEqual, less, notEqual } from "../elementwise/comparison.ts";
import { cast } from "../elementwise/convert.ts";
import { exp, log } from "../elementwise/exponential.ts";
import { maximum } from "../elementwise/extremum.ts";
import { and } from "../elementwise/logical.ts";
import { where } from "../elementwise/select.ts";
import { iota, sizeOf } from "../leaves.ts";
import { mean } from "../reduce/mean.ts";
import { sum } from "../reduce/sum.ts";
import { expandDims } from "../views/squeeze.ts";
import { shiftedByMax } from "./softmax.ts";

export interface CrossEntropyOptions {
  /** Rows with this label count neither in the sum nor in the mean. Default: none. */
  readonly ignoreIndex?: number;
  /** Part of the target that is spread evenly over all classes. Default 0. */
  readonly smoothing?: number;
}

/**
 * The mean over rows of −log softmax(logits)[label].
 *
 * A label outside 0 ≤ label < V that is not `ignoreIndex` makes the loss NaN: it cannot pass unseen. Where every row is
 * ignored the loss is 0.
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
  const { ignoreIndex } = options;
  return composite("crossEntropy", () => {
    if (ignoreIndex === undefined) return mean(rows);
    const counted = sum(cast(notEqual(labels as Tensor, ignoreIndex), rows.dtype));
    return div(sum(rows), maximum(counted, 1));
  }) as Tensor as Tensor<readonly [], D>;
}

/** The loss of each row: [...]. Ignored rows are 0. */
export function crossEntropyRows<S extends Shape, D extends DType, L extends Shape>(
  logits: Tensor<S, D>,
  labels: Tensor<L, "i32"> & LabelsFit<"crossEntropy", S, L>,
  { ignoreIndex, smoothing = 0 }: CrossEntropyOptions = {},
): Tensor<L, D> {
  check(logits, labels);
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
    const known = and(greaterEqual(label, 0), less(label, sizeOf(classes, "i32")));
    const row: Tensor = where(known, loss, NaN);
    return ignoreIndex === undefined ? row : where(notEqual(label, ignoreIndex), row, 0);
  }) as Tensor<L, D>;
}

function check(logits: Tensor, labels: Tensor): void {
  if (!isFloat(logits.dtype)) {
    throw new ShapeError(`crossEntropy: logits are ${showType(logits)}; use cast(logits, "f32")`);
  }
  if (labels.dtype !== "i32") {
    throw new ShapeError(`crossEntropy: labels are ${showType(labels)}; use cast(labels, "i32")`);
  }
  if (logits.shape.length > 0 && sameShape(logits.shape.slice(0, -1), labels.shape)) return;
  const hint = sameShape(logits.shape, labels.shape)
    ? "; labels are class numbers, one per row, and not one-hot"
    : "";
  throw new ShapeError(
    `crossEntropy: logits ${showShape(logits.shape)} need labels ${
      showShape(logits.shape.slice(0, -1))
    }, not ` +
      `${showShape(labels.shape)}${hint}`,
  );
}
