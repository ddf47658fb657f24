/**
 * Row: one or several dependent reductions over the same axes in one kernel (SCHEDULES §5): softmax and log-sum-exp,
 * layer norm, cross-entropy with its gradient, sums over rows, columns or everything.
 *
 *     space.ts      is the group one row space? outer axes, row axes, one name for the row's index
 *     merge.ts      dependent reductions that one pass can do together
 *     linear.ts     sums that need not wait for others
 *     reciprocal.ts quotients by a sum of exponentials, as products
 *     passes.ts     what is computed in which pass over the row
 *     keep.ts       what stays in lane arrays from pass to pass
 *     interleave.ts several rows per lane
 *     shape.ts      lanes along rows or along columns, how many share a row
 *     align.ts      rows that begin anywhere within a vec4
 *     pad.ts        columns whose number is no multiple of 4
 *     straight.ts   many short rows, four of them a block of memory
 *     writer.ts     the kernel
 *     split.ts      several kernels, where whole rows are too few
 */

import { counted } from "../../counted.ts";
import type { Target } from "../../target.ts";
import { fits } from "../fits.ts";
import type { LoweredGroup, Scheduled, ScheduledKernel } from "../group.ts";
import { alignRows } from "./align.ts";
import { interleaveRows, rowsShareLoads } from "./interleave.ts";
import { keepPlan } from "./keep.ts";
import { type Merge, mergesOf } from "./merge.ts";
import { heights, type Pass, passesOf } from "./passes.ts";
import { linearized } from "./linear.ts";
import { withReciprocals } from "./reciprocal.ts";
import { padColumns } from "./pad.ts";
import { memoryDirection, type RowShape, wholeShape } from "./shape.ts";
import { isSpace, type RowSpace, rowSpace } from "./space.ts";
import { chunkedShape, splitKernels } from "./split.ts";
import { straightShape } from "./straight.ts";
import { RowWriter } from "./writer.ts";

/** The kernels of a row group, or why it is none. */
export function scheduleRow(group: LoweredGroup, target: Target): Scheduled {
  const given = rowSpace(group);
  if (!isSpace(given)) return given;
  const plain = withReciprocals(given);
  // What lies in registers is not read again, so that nothing is to be merged.
  const apart = passesOf(plain, []);
  const straight = straightShape(plain, apart, target);
  if (straight) {
    const kernel = straightKernel(plain, straight, apart, target, group.label);
    if (fits([kernel], target)) return [kernel];
  }
  const space = vectorized((target.row.merge ? linearized(plain) : undefined) ?? plain, target);
  const merges = mergesOf(space);
  const whole = wholeShape(space, target);
  const merged = passesOf(space, merges);
  const chunked = chunkedShape(whole, merged.length, target);
  if (chunked) {
    // Merging saves a kernel there, and not only reads.
    const kernels = splitKernels(space, chunked, merged, target, group.label);
    if (fits(kernels, target)) return kernels;
  }
  const kernel = wholeKernel(space, whole, merges, target, group.label);
  if (fits([kernel], target)) return [kernel];
  const { storageBuffers } = target.limits;
  return {
    refused: `needs ${counted(kernel.buffers.length, "buffer")} where a kernel may have ${storageBuffers}`,
  };
}

/** With whole vectors, where rows or columns don't come in fours; or with several rows per lane. */
const vectorized = (space: RowSpace, target: Target): RowSpace =>
  (memoryDirection(space) === "columns" ? padColumns(space) : alignRows(space)) ??
    severalPerLane(space, target);

/** Gives lanes several rows where the target wants that, the rows share something, and there are enough of them. */
function severalPerLane(space: RowSpace, target: Target): RowSpace {
  const { lanes, parallel, row } = target;
  const count = row.rowsPerLane;
  const { along, across, places } = wholeShape(space, target);
  if (count < 2 || along === "columns" || across > 1 || !rowsShareLoads(space)) return space;
  return places / count >= lanes.row * parallel ? interleaveRows(space, count) ?? space : space;
}

function straightKernel(
  space: RowSpace,
  shape: RowShape,
  passes: readonly Pass[],
  target: Target,
  label: string,
): ScheduledKernel {
  const writer = new RowWriter(space, shape, target);
  writer.passes(passes);
  const { groups } = shape;
  return { ...writer.b.finish(groups), groups, label, split: false, scratch: [], schedule: "row" };
}

/** Merging saves reads, so it is for rows that lanes cannot keep. */
function wholeKernel(
  space: RowSpace,
  shape: RowShape,
  merges: readonly Merge[],
  target: Target,
  label: string,
): ScheduledKernel {
  const writer = new RowWriter(space, shape, target);
  const apart = passesOf(space, []);
  const plan = keepPlan(space, apart, heights([]), shape, target);
  if (plan) writer.passes(apart, plan);
  else writer.passes(target.row.merge ? passesOf(space, merges) : apart);
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
