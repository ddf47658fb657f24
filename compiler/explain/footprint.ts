import type { Compiled } from "../compile.ts";
import { type Group, isProgramNode } from "../fuse/group.ts";
import { lowerGroup } from "../fuse/lower_group.ts";
import { classify } from "../fuse/legal.ts";
import { isRefused } from "../fuse/reason.ts";
import { scheduleGroup } from "../schedule/schedule.ts";

/** What the kernels of a group take of a compute unit. */
export interface Footprint {
  /** Numbers of 32 bits that each lane keeps in arrays of its own. */
  readonly registers: number;
  /** Of workgroup memory. */
  readonly workgroupBytes: number;
}

/**
 * Schedules a group, as it is or as it might be, and looks at the largest of its kernels; undefined where it brings
 * kernels of its own, has no elements or is not one kernel.
 */
export function footprintOf(group: Omit<Group, "id">, { target, given }: Compiled): Footprint | undefined {
  if (isProgramNode(group.roots[0]!.node)) return undefined;
  const lowered = lowerGroup(group);
  if (lowered.roots.some((r) => r.shape.includes(0))) return undefined;
  const verdict = classify(lowered, target.limits.storageBuffers);
  if (isRefused(verdict)) return undefined;
  const { kernels } = scheduleGroup(lowered, target, verdict.kind, given.schedules);
  const most = (space: "lane" | "shared", unit: (bytes: number) => number) =>
    Math.max(
      0,
      ...kernels.map(({ kernel }) =>
        kernel.arrays.filter((a) => a.space === space).reduce(
          (n, { type, length }) => n + unit(length * type.width * (type.scalar === "f16" ? 2 : 4)),
          0,
        )
      ),
    );
  return { registers: most("lane", (bytes) => bytes / 4), workgroupBytes: most("shared", (bytes) => bytes) };
}
