/**
 * A kernel as it leaves a schedule or a program op: ready to be placed in memory and dispatched.
 *
 * It stands here and not with the schedules because program ops make kernels too, and ops know nothing of schedules.
 */

import type { BuiltKernel } from "./build.ts";
import type { BufferRef } from "./value.ts";

export interface ScheduledKernel extends BuiltKernel {
  readonly groups: number;
  /** What it computes, for traces and reports. */
  readonly label: string;
  /** Exists because a reduction was split over workgroups. */
  readonly split: boolean;
  /** Buffers that live between the kernels of one group only. */
  readonly scratch: readonly BufferRef[];
  /** Which schedule made it. */
  readonly schedule: string;
}
