/**
 * Broadcasting, stated once: shapes are aligned at their last axes, and an axis of size 1 (or none) stretches.
 *
 * Elementwise ops themselves take equal shapes. The functions in front of them make the stretch an explicit view, which
 * costs nothing and whose gradient (a sum) is then nobody else's business.
 */

import { ShapeError } from "../compiler/errors.ts";
import type { DType } from "../compiler/graph/dtype.ts";
import { type Shape, showShape } from "../compiler/graph/dim.ts";
import { checkTensor } from "../compiler/graph/check_tensor.ts";
import { Tensor } from "../compiler/graph/node.ts";
import { scalar } from "./leaves.ts";
import { broadcastTo } from "./views/broadcast.ts";

/**
 * The common shape of both, or an error that names the axis that does not fit.
 *
 * @param shown The operands as the user knows them, where `a` and `b` are parts of their shapes.
 */
export function broadcastShapes(
  op: string,
  a: Shape,
  b: Shape,
  shown: readonly [Shape, Shape] = [a, b],
): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const p = a[i - rank + a.length] ?? 1;
    const q = b[i - rank + b.length] ?? 1;
    if (p === q || q === 1) return p;
    if (p === 1) return q;
    const axis = i - rank + a.length - shown[0].length;
    throw new ShapeError(
      `${op}: shapes ${
        shown.map(showShape).join(" and ")
      } do not broadcast: axis ${axis} is ${p} in one and ${q} ` +
        "in the other. Sizes must be equal or 1; use reshape or expandDims to line the axes up",
    );
  });
}

/** Stretches the operands to one shape; a number takes the dtype of the tensor it meets (SEMANTICS §6). */
export function broadcastOperands(op: string, operands: readonly (Tensor | number)[]): Tensor[] {
  const tensors = operands.filter((x): x is Tensor => x instanceof Tensor);
  const first = tensors[0];
  if (!first) throw new ShapeError(`${op}: at least one operand must be a tensor`);
  operands.forEach((x, i) => typeof x === "number" || checkTensor(op, x, i));
  for (const t of tensors) sameDType(op, first.dtype, t.dtype);
  const shape = tensors.reduce<Shape>((s, t) => broadcastShapes(op, s, t.shape), []);
  return operands.map((x) => broadcastTo(x instanceof Tensor ? x : scalar(x, first.dtype, op), shape));
}

export function sameDType(op: string, a: DType, b: DType): void {
  if (a === b) return;
  throw new ShapeError(
    `${op}: operands are ${a} and ${b}. Weft never converts silently: use cast(x, "${a}")`,
  );
}
