/** Options of optimizers and schedules are refused where they are given. */

import { ShapeError } from "../../compiler/errors.ts";

/** lo ≤ value < hi, or ≤ where hi is infinite. */
export function checkRange(op: string, name: string, value: number, lo: number, hi: number): void {
  if (typeof value === "number" && value >= lo && value < hi) return;
  throw new ShapeError(
    `${op}: ${name} is ${value}; it must be ${
      hi === Infinity ? `${lo} or more` : `from ${lo} up to below ${hi}`
    }`,
  );
}

export function checkPositive(op: string, name: string, value: number): void {
  if (typeof value === "number" && value > 0 && value < Infinity) return;
  throw new ShapeError(`${op}: ${name} is ${value}; it must be more than 0`);
}
