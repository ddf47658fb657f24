/** Elementwise ops applied to what users give them: tensors that broadcast, and numbers. */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { broadcastOperands } from "../broadcast.ts";
import type { ElementwiseOp } from "./define.ts";

/** Applies an op of one operand. */
export function unary<S extends Shape, D extends DType>(op: ElementwiseOp, x: Tensor<S, D>): Tensor<S, D> {
  return apply(op, [x], {}) as Tensor<S, D>;
}

/** Applies an op of two operands, which broadcast; a number takes the dtype of the other. */
export function binary(op: ElementwiseOp, a: Tensor | number, b: Tensor | number): Tensor {
  return apply(op, broadcastOperands(op.name, [a, b]), {});
}
