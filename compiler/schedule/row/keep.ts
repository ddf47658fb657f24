/**
 * What a lane keeps of its part of a row from one pass to the next (SCHEDULES §5.3), instead of reading it again.
 *
 * Between pass p and the rest, the later passes need of pass p either what was loaded, or what was last computed from it:
 * after the exponentials of a softmax have been summed nobody needs x any more. The smaller of the two cuts is kept, in
 * lane arrays with literal indices, so the row's loop is unrolled; hence the limits.
 */

import { childrenOf, type Value, walk } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import { elementsOf, loadsPerElement, type Pass } from "./passes.ts";
import type { RowShape } from "./shape.ts";
import type { RowSpace } from "./space.ts";

/** For each pass the values that it leaves for later ones, per element. */
export type KeepPlan = readonly (readonly Value[])[];

/** A plan that keeps everything, or undefined where that is too much or nothing is read twice. */
export function keepPlan(
  space: RowSpace,
  passes: readonly Pass[],
  height: (value: Value) => number,
  shape: RowShape,
  target: Target,
): KeepPlan | undefined {
  if (shape.along === "columns" || shape.chunks > 1) return undefined;
  if (shape.length % shape.item !== 0 || space.alignment) return undefined;
  const perLane = Math.ceil(shape.length / shape.item / shape.across);
  if (perLane > target.row.keep) return undefined;
  const plan = passes.map((_, p) => cut(space, passes.slice(p + 1), p, height));
  if (plan.every((kept) => kept.length === 0)) return undefined;
  if (plan.some((kept) => kept.length * perLane > target.row.keep)) return undefined;
  const work = passes.reduce((n, pass) => n + sizeOf(space, elementsOf(pass)), 0);
  return work * perLane <= target.statements ? plan : undefined;
}

/** The cheapest values after pass p from which the later passes can go on. */
function cut(
  space: RowSpace,
  later: readonly Pass[],
  p: number,
  height: (value: Value) => number,
): readonly Value[] {
  const elements = later.flatMap(elementsOf);
  const loads = loadsPerElement(elements, space.row).filter((load) => height(load) <= p);
  const last = new Set<Value>();
  const seen = new Set<Value>();
  const go = (value: Value): void => {
    if (seen.has(value) || value.kind === "reduce" || !space.row.some((v) => value.free.has(v))) return;
    seen.add(value);
    if (height(value) <= p && loadsPerElement([value], space.row).length > 0) last.add(value);
    else childrenOf(value).forEach(go);
  };
  elements.forEach(go);
  return last.size <= loads.length ? [...last] : loads;
}

/** Values to evaluate per element. */
function sizeOf(space: RowSpace, elements: readonly Value[]): number {
  let count = 0;
  walk(elements, (value) => {
    if (space.row.some((v) => value.free.has(v))) count++;
  });
  return count;
}
