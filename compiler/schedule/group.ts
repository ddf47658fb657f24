/**
 * What a schedule is given, and what it gives back.
 *
 * A lowered group is a few roots, each a value at its own axes and a place to store it. A schedule turns it into one or
 * more kernels, or refuses with a reason: the reason is what a fusion decision shows its user.
 */

import type { ScheduledKernel } from "../kernel/scheduled.ts";
import type { BufferRef, Value } from "../kernel/value.ts";
import type { Values } from "../kernel/values.ts";

/** One stored result of a group. */
export interface Root {
  readonly value: Value;
  readonly shape: readonly number[];
  /** One index value per axis: a variable, or the constant 0 for an axis of size 1. */
  readonly axes: readonly Value[];
  readonly buffer: BufferRef;
  /** The element of the buffer for the axes: the buffer's layout. */
  readonly index: Value;
}

export interface LoweredGroup {
  readonly values: Values;
  readonly roots: readonly Root[];
  /** Scope and ops, for traces and reports. */
  readonly label: string;
}

export type { ScheduledKernel };

export interface Refusal {
  readonly refused: string;
}

export type Scheduled = readonly ScheduledKernel[] | Refusal;

export const isRefusal = (x: Scheduled): x is Refusal => !Array.isArray(x);
