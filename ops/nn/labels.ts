/** What losses of class labels share: labels that fit, rows that do not count, and labels that are none. */

import { ShapeError } from "../../compiler/errors.ts";
import { isFloat } from "../../compiler/graph/dtype.ts";
import { sameShape, showShape } from "../../compiler/graph/dim.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import { div } from "../elementwise/arithmetic.ts";
import { greaterEqual, less, notEqual } from "../elementwise/comparison.ts";
import { cast } from "../elementwise/convert.ts";
import { maximum } from "../elementwise/extremum.ts";
import { and } from "../elementwise/logical.ts";
import { where } from "../elementwise/select.ts";
import { sizeOf } from "../leaves.ts";
import { mean } from "../reduce/mean.ts";
import { sum } from "../reduce/sum.ts";

/**
 * Whether labels [...] fit scores [..., V].
 *
 * @param what What the scores are called: "logits", say.
 */
export function checkLabels(op: string, what: string, scores: Tensor, labels: Tensor): void {
  if (!isFloat(scores.dtype)) {
    throw new ShapeError(`${op}: ${what} are ${showType(scores)}; use cast(${what}, "f32")`);
  }
  if (labels.dtype !== "i32") {
    throw new ShapeError(`${op}: labels are ${showType(labels)}; use cast(labels, "i32")`);
  }
  const rows = scores.shape.slice(0, -1);
  if (scores.shape.length > 0 && sameShape(rows, labels.shape)) return;
  const hint = sameShape(scores.shape, labels.shape)
    ? "; labels are class numbers, one per row, and not one-hot: use argmax(labels)"
    : "";
  throw new ShapeError(
    `${op}: ${what} ${showShape(scores.shape)} need labels ${showShape(rows)}, not ${
      showShape(labels.shape)
    }${hint}`,
  );
}

/** Losses of rows with NaN where the label is none of the classes, and 0 where it is the one to ignore. */
export function withLabels(
  losses: Tensor,
  labels: Tensor,
  classes: Tensor["shape"][number],
  ignoreIndex: number | undefined,
): Tensor {
  const known = and(greaterEqual(labels, 0), less(labels, sizeOf(classes, "i32")));
  const row: Tensor = where(known, losses, NaN);
  return ignoreIndex === undefined ? row : where(notEqual(labels, ignoreIndex), row, 0);
}

/** The mean over the rows that count; 0 where none does. */
export function meanOfRows(rows: Tensor, labels: Tensor, ignoreIndex: number | undefined): Tensor {
  if (ignoreIndex === undefined) return mean(rows);
  const counted = sum(cast(notEqual(labels, ignoreIndex), rows.dtype));
  return div(sum(rows), maximum(counted, 1));
}
