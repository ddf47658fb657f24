/**
 * A group as a contraction: its one reduction, the axes of both sides, and what is stored.
 *
 * After normal.ts most contractions have one variable per side. A side that keeps several (the pixels of a convolution)
 * is walked by one position all the same; see places.ts.
 */

import { isContiguous } from "../../kernel/lower.ts";
import { type BufferRef, type Reduce, type Value, type Values, type Var, walk } from "../../kernel/value.ts";
import type { LoweredGroup, Refusal, Root } from "../group.ts";
import { normalize } from "./normal.ts";
import { type Rider, riderOf } from "./riders.ts";
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
  /** Sums over the columns' loads alone. */
  readonly riders: readonly Rider[];
  /** Columns come in vectors of this width. */
  readonly width: 1 | 4;
}

export const extentOf = (vars: readonly Var[]): number => vars.reduce((n, v) => n * v.extent, 1);

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
 * a lane stores vectors. Where that axis has no whole vectors, either the lanes store single elements next to each
 * other, or, if vectors are worth more than that, the other class is the columns.
 */
function orient(
  stores: readonly Store[],
  one: readonly Var[],
  other: readonly Var[],
  preferVectors: boolean,
): { rows: readonly Var[]; columns: readonly Var[] } {
  const index = stores[0]!.index;
  const [next, vectors] = preferVectors ? [1, 2] : [2, 1];
  const score = (v: Var, side: readonly Var[]): number => {
    const whole = v.extent % 4 === 0;
    return (whole && isContiguous(index, v) ? 4 : 0) + (strideOf(index, v) === 1 ? next : 0) +
      (whole && extentOf(side) >= fewVectors ? vectors : 0);
  };
  let columns = other;
  let best = other.at(-1)!;
  for (const side of [one, other]) {
    for (const v of side) if (score(v, side) > score(best, columns)) [best, columns] = [v, side];
  }
  const rows = columns === one ? other : one;
  return { rows, columns: [...columns.filter((v) => v !== best), best] };
}

/** Fewer elements than this leave most lanes without a vector. */
const fewVectors = 32;

/**
 * Reads a group as one contraction, or says why it is none.
 *
 * @param preferVectors Columns in whole vectors are worth more than results that lie next to each other.
 */
export function contractionOf(group: LoweredGroup, preferVectors = false): Contraction | Refusal {
  const { values: k, roots } = group;
  const size = (root: Root) => root.shape.reduce((n, d) => n * d, 1);
  const first = roots.reduce((a, b) => size(b) > size(a) ? b : a);
  const axes = first.axes.filter((a) => a.kind === "var");
  const isMain = (root: Root) => {
    const own = root.axes.filter((a) => a.kind === "var");
    return own.length === axes.length && own.every((v) => axes.includes(v));
  };
  const normal = normalize(k, [first, ...roots.filter((root) => root !== first && isMain(root))]);
  if ("refused" in normal) return normal;
  const { reduce, stores } = normal;
  const classes = classify(reduce.body, normal.axes, reduce.vars);
  if ("refused" in classes) return classes;
  const oriented = orient(stores, classes.rows, classes.columns, preferVectors);
  const { a, b } = cutSides(reduce.body, { batch: classes.batch, ...oriented });
  const width = oriented.columns.at(-1)!.extent % 4 === 0 ? 4 : 1;
  const alone: Contraction = {
    k,
    reduce,
    batch: classes.batch,
    ...oriented,
    a,
    b,
    stores,
    riders: [],
    width,
  };
  const riders: Rider[] = [];
  for (const root of roots.filter((r) => !isMain(r))) {
    const rider = riderOf(alone, root);
    if ("refused" in rider) return rider;
    riders.push(rider);
  }
  return { ...alone, riders };
}
