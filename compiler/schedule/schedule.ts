/**
 * From a group to kernels: the first schedule that accepts (SCHEDULES §3). Each refusal says why, and the map schedule
 * takes whatever is left, with reductions as loops inside a lane.
 */

import { InternalError } from "../errors.ts";
import type { Target } from "../target.ts";
import { scheduleContraction } from "./contraction/schedule.ts";
import { isRefusal, type LoweredGroup, type ScheduledKernel } from "./group.ts";
import { scheduleMap } from "./map.ts";

export interface ScheduleResult {
  readonly kernels: readonly ScheduledKernel[];
  /** Why the schedules before the one that took it did not. */
  readonly refusals: readonly string[];
}

const schedules = [
  ["contraction", scheduleContraction],
  ["map", scheduleMap],
] as const;

export function scheduleGroup(group: LoweredGroup, target: Target): ScheduleResult {
  const refusals: string[] = [];
  for (const [name, schedule] of schedules) {
    const result = schedule(group, target);
    if (!isRefusal(result)) return { kernels: result, refusals };
    refusals.push(`${name}: ${result.refused}`);
  }
  throw new InternalError("schedule", `no schedule takes "${group.label}": ${refusals.join("; ")}`);
}
