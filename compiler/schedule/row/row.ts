/**
 * Row: one or several dependent reductions over the same axes in one kernel (SCHEDULES §5): softmax and log-sum-exp,
 * layer norm, cross-entropy with its gradient, sums over rows, columns or everything.
 *
 *     space.ts      is the group one row space? outer axes, row axes, one name for the row's index
 *     merge.ts      dependent reductions that one pass can do together
 *     passes.ts     what is computed in which pass over the row
 *     shape.ts      lanes along rows or along columns, how many share a row
 *     writer.ts     the kernel
 */

import type { Target } from "../../target.ts";
import type { LoweredGroup, Scheduled, ScheduledKernel } from "../group.ts";
import { mergesOf } from "./merge.ts";
import { passesOf } from "./passes.ts";
import { wholeShape } from "./shape.ts";
import { isSpace, rowSpace } from "./space.ts";
import { RowWriter } from "./writer.ts";

/** The kernels of a row group, or why it is none. */
export function scheduleRow(group: LoweredGroup, target: Target): Scheduled {
  const space = rowSpace(group);
  if (!isSpace(space)) return space;
  const passes = passesOf(space, target.row.merge ? mergesOf(space) : []);
  const shape = wholeShape(space, target);
  const writer = new RowWriter(space, shape, target);
  writer.passes(passes);
  const kernel: ScheduledKernel = {
    ...writer.b.finish(shape.groups),
    groups: shape.groups,
    label: group.label,
    split: false,
    scratch: [],
    schedule: shape.along === "columns" ? "column" : "row",
  };
  const limit = target.limits.storageBuffers;
  if (kernel.buffers.length > limit) {
    return { refused: `needs ${kernel.buffers.length} buffers where a kernel may have ${limit}` };
  }
  return [kernel];
}
