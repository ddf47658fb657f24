/**
 * Merging dependent reductions into one pass (SCHEDULES §5.5): each rule is an equation, found by what a value *is* and
 * not by which op made it.
 *
 *     maxSumExp   M = max x,  Σ exp(x − M)           one pass with the pair (M, Σ), rescaled where M grows
 *     moments     μ = Σ x / n,  Σ (x − μ)²           one pass with (count, mean, Σ of squared deviations)
 *
 * Neither assumes finite numbers: with NaN or infinities in the row the results are those of the passes apart.
 */

import { exp, isFiniteValue } from "../../kernel/numerics.ts";
import type { Reduce, Value } from "../../kernel/value.ts";
import type { Values } from "../../kernel/values.ts";
import { type FoldSpec, plainFold, type ShiftedSum } from "./fold_spec.ts";
import { rowLength, type RowSpace } from "./space.ts";

export type MergeRule = "maxSumExp" | "moments";

/** Reductions that are computed in the pass of the first of them. */
export interface Merge {
  readonly rule: MergeRule;
  readonly leader: Reduce;
  readonly followers: readonly Reduce[];
  readonly folds: readonly FoldSpec[];
}

/** All merges that the rules allow; no reduction is in two. */
export function mergesOf(space: RowSpace): Merge[] {
  const taken = new Set<Reduce>();
  const merges: Merge[] = [];
  for (const leader of space.reductions) {
    if (taken.has(leader)) continue;
    const merge = maxSumExp(space, leader) ?? moments(space, leader);
    if (!merge || merge.followers.some((f) => taken.has(f))) continue;
    for (const r of [leader, ...merge.followers]) taken.add(r);
    merges.push(merge);
  }
  return merges;
}

function maxSumExp({ values: k, reductions }: RowSpace, max: Reduce): Merge | undefined {
  if ((max.op !== "max" && max.op !== "maxFast") || max.type !== "f32") return undefined;
  const x = max.body;
  const shifts = [["max", max], ["finite max", k.select(isFiniteValue(k, max), max, 0)]] as const;
  // The expansion in values, and the target's own.
  const forms = [(v: Value) => exp(k, v), (v: Value) => k.unary("exp", v)];
  for (const form of forms) {
    const sums: ShiftedSum[] = [];
    for (const [shift, value] of shifts) {
      const body = form(k.sub(x, value));
      const reduce = reductions.find((r) => r.op === "sum" && r.body === body);
      if (reduce) sums.push({ reduce, shift });
    }
    if (sums.length === 0) continue;
    return {
      rule: "maxSumExp",
      leader: max,
      followers: sums.map((s) => s.reduce),
      folds: [{ kind: "maxSumExp", max, x, sums }],
    };
  }
  return undefined;
}

function moments(space: RowSpace, sum: Reduce): Merge | undefined {
  if (sum.op !== "sum" || sum.type !== "f32") return undefined;
  const { values: k, reductions } = space;
  const x = sum.body;
  for (const mean of meansOf(k, sum, rowLength(space))) {
    const away = k.sub(x, mean);
    const body = k.mul(away, away);
    const squares = reductions.find((r) => r.op === "sum" && r.body === body);
    if (!squares) continue;
    return {
      rule: "moments",
      leader: sum,
      followers: [squares],
      // The sum itself stays a sum: what it overflows to is not what a running mean does.
      folds: [plainFold(sum), { kind: "moments", squares, x }],
    };
  }
  return undefined;
}

/** How a mean may be written. */
const meansOf = (k: Values, sum: Value, length: number): readonly Value[] => [
  k.div(sum, length),
  k.mul(sum, 1 / length),
  k.mul(k.const(1 / length), sum),
];
