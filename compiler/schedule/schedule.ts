/**
 * From a group to kernels: the first schedule that accepts (SCHEDULES §3), a user's own before those that ship. Each
 * refusal says why, and the map schedule takes whatever is left, with reductions as loops inside a lane.
 */

import { InternalError } from "../errors.ts";
import { walk } from "../kernel/value.ts";
import type { Target } from "../target.ts";
import { scheduleContraction } from "./contraction/schedule.ts";
import { isRefusal, type LoweredGroup, type Root, type ScheduledKernel } from "./group.ts";
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
  // Results of different shapes that no schedule takes together: kernels of their own, computing shared work again. Those
  // of one shape stay together: one may be written over what another one reads.
  const parts = [...Map.groupBy(group.roots, (root) => root.axes.map((axis) => axis.id).join()).values()];
  if (parts.length > 1) {
    const apart = inOrder(parts, group.label).map((roots) => scheduleAlone({ ...group, roots }, target));
    return {
      kernels: apart.flatMap((r) => r.kernels),
      refusals: [...refusals, ...apart.flatMap((r) => r.refusals)],
    };
  }
  throw new InternalError("schedule", `no schedule takes "${group.label}": ${refusals.join("; ")}`);
}

/** Parts in an order in which none reads what one before it has written over. */
function inOrder(parts: readonly (readonly Root[])[], label: string): readonly (readonly Root[])[] {
  const left = parts.map((roots) => {
    const reads = new Set<string>();
    walk(roots.map((r) => r.value), (v) => {
      if (v.kind === "load") reads.add(v.buffer.name);
    });
    return { roots, reads };
  });
  const ordered: (readonly Root[])[] = [];
  while (left.length > 0) {
    const next = left.findIndex((part) =>
      left.every((other) => other === part || part.roots.every((r) => !other.reads.has(r.buffer.name)))
    );
    if (next < 0) {
      throw new InternalError(
        "schedule",
        `the results of "${label}" overwrite what each other's kernels read`,
      );
    }
    ordered.push(...left.splice(next, 1).map(({ roots }) => roots));
  }
  return ordered;
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
