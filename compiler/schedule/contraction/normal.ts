/**
 * A contraction's values in the form loops like best: axes are split where they are read through division (heads of an
 * attention output), then merged with their neighbors where every index stays affine (stacked rows).
 */

import { childrenOf, type Reduce, type Value, type Var } from "../../kernel/value.ts";
import { type Values } from "../../kernel/values.ts";
import { mergeAxes, splitAxes } from "../axes.ts";
import type { Refusal, Root } from "../group.ts";
import type { Store } from "./problem.ts";

const product = (vars: readonly Var[]): number => vars.reduce((n, v) => n * v.extent, 1);

/** Reductions that stand in no other reduction. */
function outermost(roots: readonly Value[]): Value[] {
  const found = new Set<Value>();
  const seen = new Set<Value>();
  const go = (value: Value): void => {
    if (seen.has(value)) return;
    seen.add(value);
    if (value.kind === "reduce" || value.kind === "prefix") found.add(value);
    else for (const child of childrenOf(value)) go(child);
  };
  for (const root of roots) go(root);
  return [...found];
}

/** The group's single outermost reduction, or why it is none that this schedule takes. */
function reductionOf(stores: readonly Store[]): Reduce | Refusal {
  const reductions = outermost(stores.map((s) => s.value));
  const [reduce] = reductions;
  if (!reduce) return { refused: "nothing is summed" };
  if (reductions.length > 1) return { refused: `${reductions.length} different reductions` };
  if (reduce.kind !== "reduce") return { refused: "a running sum" };
  if (reduce.op === "argmax" || reduce.op === "argmin") return { refused: `${reduce.op} has no two sides` };
  for (const inner of outermost([reduce.body])) {
    const terms = inner.kind === "reduce" ? product(inner.vars) : 0;
    const repeats = product(reduce.vars);
    return {
      refused: `a reduction of ${terms} terms inside the sum would be repeated up to ${repeats} times`,
    };
  }
  return reduce;
}

/** Splits output axes and summed variables until none is read through a division that a split removes. */
function splitAll(
  k: Values,
  axes: readonly Var[],
  stores: readonly Store[],
): { axes: Var[]; stores: readonly Store[] } {
  let vars = [...axes];
  let current = stores;
  for (let round = 0; round < 8; round++) {
    const splits = splitAxes(k, vars, current.flatMap((s) => [s.value, s.index]));
    if (!splits) break;
    const substitution = new Map<Value, Value>();
    for (const [v, [high, low]] of splits) substitution.set(v, k.affine([[high, low.extent], [low, 1]]));
    vars = vars.flatMap((v) => splits.get(v) ?? [v]);
    current = rewrite(current, (value) => k.substitute(value, substitution));
  }
  for (let round = 0; round < 8; round++) {
    const reduce = reductionOf(current);
    if ("refused" in reduce) break;
    const splits = splitAxes(k, reduce.vars, [reduce.body]);
    if (!splits) break;
    const substitution = new Map<Value, Value>();
    for (const [v, [high, low]] of splits) substitution.set(v, k.affine([[high, low.extent], [low, 1]]));
    const parts = reduce.vars.flatMap((v) => splits.get(v) ?? [v]);
    const split = k.reduceOver(reduce.op, parts, k.substitute(reduce.body, substitution));
    current = rewrite(current, (value) => k.substitute(value, new Map([[reduce, split]])));
  }
  return { axes: vars, stores: current };
}

const rewrite = (stores: readonly Store[], f: (value: Value) => Value): readonly Store[] =>
  stores.map(({ buffer, value, index }) => ({ buffer, value: f(value), index: f(index) }));

/** Merges neighboring output axes, then neighboring summed variables. */
function mergeAll(
  k: Values,
  axes: readonly Var[],
  stores: readonly Store[],
): { axes: readonly Var[]; stores: readonly Store[] } {
  const merged = mergeAxes(k, axes, stores.flatMap((s) => [s.value, s.index]));
  let current = rewrite(stores, (value) => k.substitute(value, merged.substitution));
  const reduce = reductionOf(current);
  if (!("refused" in reduce) && reduce.vars.length > 1) {
    const inner = mergeAxes(k, reduce.vars, [reduce.body]);
    const whole = k.reduceOver(reduce.op, inner.vars, k.substitute(reduce.body, inner.substitution));
    current = rewrite(current, (value) => k.substitute(value, new Map([[reduce, whole]])));
  }
  return { axes: merged.vars, stores: current };
}

export interface Normal {
  readonly axes: readonly Var[];
  readonly reduce: Reduce;
  readonly stores: readonly Store[];
}

/** Roots over the same axes, and their one sum; or why they have none that this schedule takes. */
export function normalize(k: Values, roots: readonly Root[]): Normal | Refusal {
  const own = roots[0]!.axes.filter((a): a is Var => a.kind === "var");
  const given = roots.map(({ buffer, value, index }): Store => ({ buffer, value, index }));
  const sound = reductionOf(given);
  if ("refused" in sound) return sound;
  const split = splitAll(k, own, given);
  const { axes, stores } = mergeAll(k, split.axes, split.stores);
  const reduce = reductionOf(stores);
  return "refused" in reduce ? reduce : { axes, reduce, stores };
}
