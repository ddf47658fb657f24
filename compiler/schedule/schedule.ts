/**
 * From a group to kernels: the first schedule that accepts (SCHEDULES §3), a user's own before those that ship. Each
 * refusal says why, and the map schedule takes whatever is left, with reductions as loops inside a lane.
 */

import { InternalError } from "../errors.ts";
import type { Target } from "../target.ts";
import { scheduleContraction } from "./contraction/schedule.ts";
import { isRefusal, type LoweredGroup, type ScheduledKernel } from "./group.ts";
import type { Kind } from "../fuse/legal.ts";
import { scheduleMap } from "./map.ts";
import { askOwn, type KernelSchedule } from "./own.ts";
import { scheduleRow } from "./row/row.ts";
import { scheduleScan } from "./scan/scan.ts";
import { scheduleWindow } from "./window.ts";

export interface ScheduleResult {
  readonly kernels: readonly ScheduledKernel[];
  /** Why the schedules before the one that took it did not. */
  readonly refusals: readonly string[];
}

const schedules = {
  contraction: scheduleContraction,
  row: scheduleRow,
  scan: scheduleScan,
  window: scheduleWindow,
  map: scheduleMap,
} as const;

/** In this order. */
const asked: Readonly<Record<Kind, readonly (keyof typeof schedules)[]>> = {
  contraction: ["contraction", "map"],
  row: ["window", "row", "map"],
  scan: ["scan", "map"],
  map: ["map"],
};

/**
 * @param kind What fusion took the group for: its schedule is asked first, the map schedule last.
 * @param own A user's schedules, which are asked before that.
 */
export function scheduleGroup(
  group: LoweredGroup,
  target: Target,
  kind: Kind,
  own: readonly KernelSchedule[] = [],
): ScheduleResult {
  const refusals: string[] = [];
  for (const schedule of own) {
    const result = askOwn(schedule, group, target, kind);
    if (!isRefusal(result)) return { kernels: result, refusals };
    refusals.push(`${schedule.name}: ${result.refused}`);
  }
  for (const name of asked[kind]) {
    const result = schedules[name](group, target);
    if (!isRefusal(result)) return { kernels: result, refusals };
    refusals.push(`${name}: ${result.refused}`);
  }
  // Results of different shapes that no schedule takes together: one kernel each, computing shared work again.
  if (group.roots.length > 1) {
    const apart = group.roots.map((root) => scheduleAlone({ ...group, roots: [root] }, target));
    return {
      kernels: apart.flatMap((r) => r.kernels),
      refusals: [...refusals, ...apart.flatMap((r) => r.refusals)],
    };
  }
  throw new InternalError("schedule", `no schedule takes "${group.label}": ${refusals.join("; ")}`);
}

function scheduleAlone(group: LoweredGroup, target: Target): ScheduleResult {
  const refusals: string[] = [];
  for (const name of ["contraction", "window", "row", "scan", "map"] as const) {
    const result = schedules[name](group, target);
    if (!isRefusal(result)) return { kernels: result, refusals };
    refusals.push(`${name}: ${result.refused}`);
  }
  throw new InternalError("schedule", `no schedule takes "${group.label}": ${refusals.join("; ")}`);
}
