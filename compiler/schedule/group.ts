/**
 * What a schedule is given, and what it gives back.
 *
 * A lowered group is a few roots, each a value at its own axes and a place to store it. A schedule turns it into one or
 * more kernels, or refuses with a reason: the reason is what a fusion decision shows its user.
 */

import type { BuiltKernel } from "../kernel/build.ts";
import type { BufferRef, Value, Values } from "../kernel/value.ts";

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

export interface ScheduledKernel extends BuiltKernel {
  readonly groups: number;
  readonly label: string;
  /** Exists because a reduction was split over workgroups. */
  readonly split: boolean;
  /** Buffers that live between the kernels of one group only. */
  readonly scratch: readonly BufferRef[];
  /** Which schedule made it. */
  readonly schedule: string;
}

export interface Refusal {
  readonly refused: string;
}

export type Scheduled = readonly ScheduledKernel[] | Refusal;

export const isRefusal = (x: Scheduled): x is Refusal => !Array.isArray(x);
