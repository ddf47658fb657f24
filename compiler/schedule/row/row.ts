/**
 * Row: one or several dependent reductions over the same axes in one kernel (SCHEDULES §5): softmax and log-sum-exp,
 * layer norm, cross-entropy with its gradient, sums over rows, columns or everything.
 *
 *     space.ts      is the group one row space? outer axes, row axes, one name for the row's index
 *     merge.ts      dependent reductions that one pass can do together
 *     passes.ts     what is computed in which pass over the row
 *     shape.ts      lanes along rows or along columns, how many share a row
 *     writer.ts     the kernel
 *     split.ts      several kernels, where whole rows are too few
 */

import type { Target } from "../../target.ts";
import type { LoweredGroup, Scheduled, ScheduledKernel } from "../group.ts";
import { mergesOf } from "./merge.ts";
import { type Pass, passesOf } from "./passes.ts";
import { type RowShape, wholeShape } from "./shape.ts";
import { isSpace, type RowSpace, rowSpace } from "./space.ts";
import { chunkedShape, splitKernels } from "./split.ts";
import { RowWriter } from "./writer.ts";

/** The kernels of a row group, or why it is none. */
export function scheduleRow(group: LoweredGroup, target: Target): Scheduled {
  const space = rowSpace(group);
  if (!isSpace(space)) return space;
  const merges = mergesOf(space);
  const whole = wholeShape(space, target);
  const merged = passesOf(space, merges);
  const chunked = chunkedShape(whole, merged.length, target);
  const limit = target.limits.storageBuffers;
  const fits = (kernels: readonly ScheduledKernel[]) => kernels.every((x) => x.buffers.length <= limit);
  if (chunked) {
    // Merging saves a kernel there, and not only reads.
    const kernels = splitKernels(space, chunked, merged, target, group.label);
    if (fits(kernels)) return kernels;
  }
  const kernel = wholeKernel(
    space,
    whole,
    target.row.merge ? merged : passesOf(space, []),
    target,
    group.label,
  );
  if (fits([kernel])) return [kernel];
  return { refused: `needs ${kernel.buffers.length} buffers where a kernel may have ${limit}` };
}

function wholeKernel(
  space: RowSpace,
  shape: RowShape,
  passes: readonly Pass[],
  target: Target,
  label: string,
): ScheduledKernel {
  const writer = new RowWriter(space, shape, target);
  writer.passes(passes);
  const schedule = shape.along === "columns" ? "column" : "row";
  return {
    ...writer.b.finish(shape.groups),
    groups: shape.groups,
    label,
    split: false,
    scratch: [],
    schedule,
  };
}
