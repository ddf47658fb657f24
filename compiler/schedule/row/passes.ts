/**
 * Passes over a row by height (SCHEDULES §5.2).
 *
 * A value's height is that of its operands; a reduction's is one more than its body's. Pass p runs once over the row and
 * holds every reduction whose body has height p and every result of height p, so equal heights share a pass, and sharing
 * needs no pattern. Merged reductions (merge.ts) are computed in the pass of the first of them.
 */

import { childrenOf, type Load, type Reduce, type Value, type Var } from "../../kernel/value.ts";
import { elementOf, type FoldSpec, plainFold } from "./fold_spec.ts";
import type { Merge } from "./merge.ts";
import type { RowRoot, RowSpace } from "./space.ts";

export interface Pass {
  readonly folds: readonly FoldSpec[];
  /** Results with one element per element of the row, stored within the pass. */
  readonly full: readonly RowRoot[];
  /** Results with one element per row, stored before the pass begins. */
  readonly perRow: readonly RowRoot[];
}

/** Heights, with merged reductions counted where they really are computed. */
export function heights(merges: readonly Merge[]): (value: Value) => number {
  const leaders = new Map<Reduce, Reduce>();
  for (const { leader, followers } of merges) for (const f of followers) leaders.set(f, leader);
  const memo = new Map<Value, number>();
  const go = (value: Value): number => {
    const known = memo.get(value);
    if (known !== undefined) return known;
    let height = 0;
    if (value.kind === "reduce") height = 1 + go((leaders.get(value) ?? value).body);
    else for (const child of childrenOf(value)) height = Math.max(height, go(child));
    memo.set(value, height);
    return height;
  };
  return go;
}

export function passesOf(space: RowSpace, merges: readonly Merge[]): Pass[] {
  const height = heights(merges);
  const merged = new Set(merges.flatMap((m) => [m.leader, ...m.followers]));
  const folds = [
    ...merges.flatMap((m) => m.folds.map((fold) => ({ at: height(m.leader) - 1, fold }))),
    ...space.reductions.filter((r) => !merged.has(r)).map((r) => ({ at: height(r) - 1, fold: plainFold(r) })),
  ];
  const last = Math.max(...folds.map((f) => f.at), ...space.roots.map((r) => height(r.value)));
  return Array.from({ length: last + 1 }, (_, at): Pass => {
    const roots = space.roots.filter((r) => height(r.value) === at);
    return {
      folds: folds.filter((f) => f.at === at).map((f) => f.fold),
      full: roots.filter((r) => r.full),
      perRow: roots.filter((r) => !r.full),
    };
  });
}

/** Values that a pass evaluates for each element of the row. */
export const elementsOf = (pass: Pass): Value[] => [
  ...pass.folds.map(elementOf),
  ...pass.full.map((r) => r.value),
];

/** Loads that the values make for each element of the row, those inside finished reductions not counted. */
export function loadsPerElement(elements: readonly Value[], row: readonly Var[]): Load[] {
  const loads: Load[] = [];
  const seen = new Set<Value>();
  const go = (value: Value): void => {
    if (seen.has(value) || value.kind === "reduce") return;
    seen.add(value);
    if (value.kind === "load" && row.some((v) => value.free.has(v))) loads.push(value);
    childrenOf(value).forEach(go);
  };
  elements.forEach(go);
  return loads;
}
