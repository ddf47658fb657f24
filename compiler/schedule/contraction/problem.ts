/**
 * A group as a contraction: its one reduction, the axes of both sides in the form loops like best, and what is stored.
 *
 * Axes are first split where they are read through division (heads of an attention output), then merged with their
 * neighbors where every index stays affine (stacked rows), so that most contractions have one variable per side. A side
 * that keeps several (the pixels of a convolution) is walked by one position all the same; see places.ts.
 */

import { isContiguous } from "../../kernel/lower.ts";
import {
  type BufferRef,
  childrenOf,
  type Reduce,
  type Value,
  type Values,
  type Var,
  walk,
} from "../../kernel/value.ts";
import { mergeAxes, splitAxes } from "../axes.ts";
import type { LoweredGroup, Refusal } from "../group.ts";
import { classify, cutSides } from "./sides.ts";

export interface Store {
  readonly buffer: BufferRef;
  readonly value: Value;
  readonly index: Value;
}

export interface Contraction {
  readonly k: Values;
  readonly reduce: Reduce;
  readonly batch: readonly Var[];
  readonly rows: readonly Var[];
  /** The last one is the vector axis. */
  readonly columns: readonly Var[];
  /** Sub-values of the reduction's body that miss the columns, and those that miss the rows. */
  readonly a: readonly Value[];
  readonly b: readonly Value[];
  readonly stores: readonly Store[];
  /** Columns come in vectors of this width. */
  readonly width: 1 | 4;
}

export const extentOf = (vars: readonly Var[]): number => vars.reduce((n, v) => n * v.extent, 1);

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
    const terms = inner.kind === "reduce" ? extentOf(inner.vars) : 0;
    const repeats = extentOf(reduce.vars);
    return {
      refused: `a reduction of ${terms} terms inside the sum would be repeated up to ${repeats} times`,
    };
  }
  for (const { value } of stores) {
    if (!outermost([value]).includes(reduce)) return { refused: "a result does not use the sum" };
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

/** How many loads of these values are contiguous along a variable. */
export function contiguousLoads(values: readonly Value[], along: Var): number {
  let count = 0;
  walk(values, (value) => {
    if (value.kind === "load" && isContiguous(value.index, along) && value.buffer.size % 4 === 0) count++;
  });
  return count;
}

/** The coefficient of a variable in an index; 0 where it is not affine in it. */
function strideOf(index: Value, v: Var): number {
  if (index === v) return 1;
  return index.kind === "linear" ? index.terms.find((t) => t.atom === v)?.coefficient ?? 0 : 0;
}

/**
 * Which class is the columns, with its vector axis last: the one whose axis is contiguous in the first result, so that
 * a lane stores vectors; else the one whose loads are.
 */
function orient(
  stores: readonly Store[],
  one: readonly Var[],
  other: readonly Var[],
): { rows: readonly Var[]; columns: readonly Var[] } {
  const index = stores[0]!.index;
  const score = (v: Var): number =>
    (v.extent % 4 === 0 && isContiguous(index, v) ? 4 : 0) + (strideOf(index, v) === 1 ? 2 : 0) +
    (v.extent % 4 === 0 ? 1 : 0);
  let best = other.at(-1)!;
  for (const v of [...one, ...other]) if (score(v) > score(best)) best = v;
  const [rows, columns] = one.includes(best) ? [other, one] : [one, other];
  return { rows, columns: [...columns.filter((v) => v !== best), best] };
}

/** Reads a group as one contraction, or says why it is none. */
export function contractionOf(group: LoweredGroup): Contraction | Refusal {
  const { values: k, roots } = group;
  const first = roots[0]!;
  const own = first.axes.filter((a): a is Var => a.kind === "var");
  for (const root of roots) {
    const theirs = root.axes.filter((a) => a.kind === "var");
    if (theirs.length !== own.length || theirs.some((v) => !own.includes(v as Var))) {
      return {
        refused: `results of shapes [${first.shape}] and [${root.shape}] have different iteration spaces`,
      };
    }
  }
  const given = roots.map(({ buffer, value, index }): Store => ({ buffer, value, index }));
  const sound = reductionOf(given);
  if ("refused" in sound) return sound;
  const split = splitAll(k, own, given);
  const { axes, stores } = mergeAll(k, split.axes, split.stores);
  const reduce = reductionOf(stores);
  if ("refused" in reduce) return reduce;
  const classes = classify(reduce.body, axes, reduce.vars);
  if ("refused" in classes) return classes;
  const oriented = orient(stores, classes.rows, classes.columns);
  const { a, b } = cutSides(reduce.body, { batch: classes.batch, ...oriented });
  const width = oriented.columns.at(-1)!.extent % 4 === 0 ? 4 : 1;
  return { k, reduce, batch: classes.batch, ...oriented, a, b, stores, width };
}
