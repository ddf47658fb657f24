/** What users hand over untyped, or cast, where a tensor is wanted: said here once for all ops. */

import { ShapeError } from "../errors.ts";
import { Tensor } from "./node.ts";

/** @throws ShapeError that says what the operand is and what to do. */
export function checkTensor(op: string, operand: unknown, position?: number): void {
  if (operand instanceof Tensor) return;
  const which = position === undefined ? "operand" : `operand ${position}`;
  throw new ShapeError(`${op}: ${which} is ${noTensor(operand)}`);
}

/** `a number, not a tensor; use …`: the end of a sentence on something that is none. */
export function noTensor(x: unknown): string {
  const hint = typeof x === "function"
    ? "; a layer is called on a tensor first: layer(x)"
    : x instanceof Promise
    ? "; a model is traced in one go and cannot await"
    : typeof x === "number" || Array.isArray(x) || ArrayBuffer.isView(x)
    ? "; use constant(values, shape) or full(shape, value)"
    : "";
  return `${kindOf(x)}, not a tensor${hint}`;
}

function kindOf(x: unknown): string {
  if (x === undefined || x === null) return String(x);
  if (typeof x !== "object") return `a ${typeof x}`;
  return Array.isArray(x) ? "an array" : `an object of class ${x.constructor?.name ?? "unknown"}`;
}
