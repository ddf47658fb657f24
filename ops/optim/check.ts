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

/** A rate is a number or a schedule, and is never left out. */
export function checkRate(op: string, options: { readonly rate: unknown }): void {
  const rate: unknown = options?.rate;
  if (typeof rate === "function") return;
  if (typeof rate === "number") return checkRange(op, "rate", rate, 0, Infinity);
  throw new ShapeError(`${op}: rate is ${rate}; it must be a number or a schedule: ${op}({ rate: 1e-3 })`);
}

/** The largest norm of gradients is above 0, where one is given. */
export function checkClip(op: string, { clip }: { readonly clip?: number }): void {
  if (clip !== undefined) checkPositive(op, "clip", clip);
}
