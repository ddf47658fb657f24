/**
 * Rows cut into chunks, where whole rows are too few to fill the machine (SCHEDULES §5.6).
 *
 *     kernel p      combines the chunks' partial states of the passes before (few, in a fixed order, each workgroup for
 *                   itself), does pass p on its chunk of its row, and writes the chunk's partial states
 *     last kernel   combines what is left to combine and stores the results with one element per row, if no pass over
 *                   the elements does
 *
 * So a sum over everything is two kernels, a softmax of few long rows with merged maximum and sum also two.
 */

import { childrenOf, type Value } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import type { ScheduledKernel } from "../group.ts";
import { type FoldSpec, resultsOf } from "./fold_spec.ts";
import { Partials } from "./partials.ts";
import { elementsOf, type Pass } from "./passes.ts";
import { powerOfTwo, type RowShape } from "./shape.ts";
import type { RowSpace } from "./space.ts";
import { RowWriter } from "./writer.ts";

/** The shape with rows in chunks; undefined where whole rows fill the machine or are too short to share. */
export function chunkedShape(whole: RowShape, passes: number, target: Target): RowShape | undefined {
  const { lanes, parallel, row, quirks } = target;
  const wide = whole.along === "rows" ? { ...whole, lanes: lanes.row, across: lanes.row } : whole;
  const items = Math.floor(whole.length / whole.item);
  const groups = whole.along === "rows" ? whole.places : whole.places / lanes.row;
  const perLane = items / wide.across;
  const wanted = Math.min(Math.ceil(parallel / groups), Math.floor(perLane / row.perChunk));
  // Some drivers end loops silently after so many turns.
  const needed = Math.ceil(perLane * (passes + 1) / quirks.loopBound);
  const chunks = Math.max(wanted, needed);
  if (groups >= parallel && needed <= 1) return undefined;
  const turn = wide.across * row.unroll;
  const chunk = Math.ceil(items / chunks / turn) * turn * whole.item;
  const actual = Math.ceil(items * whole.item / chunk);
  if (actual < 2) return undefined;
  const units = whole.places * actual;
  return {
    ...wide,
    turns: 1,
    chunks: actual,
    chunk,
    groups: whole.along === "rows" ? units : Math.ceil(units / wide.lanes),
  };
}

/** The shape of a kernel that only combines. */
function combiningShape(shape: RowShape, target: Target): RowShape {
  const across = shape.along === "columns" ? 1 : Math.min(target.lanes.row, powerOfTwo(shape.chunks));
  const lanes = Math.min(target.lanes.row, powerOfTwo(shape.places * across));
  return {
    ...shape,
    across,
    lanes,
    turns: 1,
    chunks: 1,
    chunk: shape.length,
    groups: Math.ceil(shape.places * across / lanes),
  };
}

export function splitKernels(
  space: RowSpace,
  shape: RowShape,
  passes: readonly Pass[],
  target: Target,
  label: string,
): ScheduledKernel[] {
  const name = space.roots[0]!.buffer.name;
  const partials: Partials[] = [];
  const kernels = passes.map((pass, p): ScheduledKernel => {
    const sweeps = elementsOf(pass).length > 0;
    const own = sweeps ? shape : combiningShape(shape, target);
    const before = neededBy(pass, passes.slice(0, p));
    const writer = new RowWriter(space, own, target);
    const saved = pass.folds.length > 0 ? new Partials(`${name}:partial${p}`, pass.folds, own) : undefined;
    writer.chunk(pass, before.map((fold) => ({ fold, from: partials.find((x) => x.has(fold))! })), saved);
    if (saved) partials.push(saved);
    const built = writer.b.finish(own.groups);
    const used = new Set(built.buffers.map((ref) => ref.name));
    return {
      ...built,
      groups: own.groups,
      label: passes.length === 1 ? label : `${label} (${p + 1} of ${passes.length})`,
      split: p < passes.length - 1,
      scratch: partials.flatMap((x) => x.buffers).filter((ref) => used.has(ref.name)),
      schedule: own.along === "columns" ? "column" : "row",
    };
  });
  return kernels;
}

/** Folds of earlier passes whose results the pass names itself, and not only through other results. */
function neededBy(pass: Pass, before: readonly Pass[]): FoldSpec[] {
  const finished = before.flatMap((p) => p.folds);
  const named = new Set<Value>();
  const go = (value: Value): void => {
    if (named.has(value)) return;
    named.add(value);
    if (value.kind !== "reduce") childrenOf(value).forEach(go);
  };
  [...elementsOf(pass), ...pass.perRow.map((r) => r.value)].forEach(go);
  return finished.filter((fold) => resultsOf(fold).some((r) => named.has(r)));
}
