/**
 * A group as a contraction: its one reduction, the axes of both sides, and what is stored.
 *
 * After normal.ts most contractions have one variable per side. A side that keeps several (the pixels of a convolution)
 * is walked by one position all the same; see places.ts.
 */

import type { BufferRef, Reduce, Value, Var } from "../../kernel/value.ts";
import type { Values } from "../../kernel/values.ts";
import type { LoweredGroup, Refusal, Root } from "../group.ts";
import type { Target } from "../../target.ts";
import { normalize } from "./normal.ts";
import { orient } from "./orient.ts";
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
  /** Its rows slide (windows.ts): a panel takes this many steps of k, and walks along whole lines of rows. */
  readonly windows?: { readonly steps: number };
  /** Where the columns' vector axis really ends, if it was made longer (pad.ts): nothing behind that is stored. */
  readonly end?: { readonly axis: Var; readonly extent: number };
}

/** Reads a group as one contraction, or says why it is none. */
export function contractionOf(group: LoweredGroup, target: Target): Contraction | Refusal {
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
  const others = roots.filter((r) => !isMain(r));
  let reason: Refusal = { refused: "" };
  // Riders ride with the columns; where there are none, the first way is taken.
  for (const oriented of orient(reduce, stores, classes.rows, classes.columns, target)) {
    const sides = cutSides(reduce.body, { batch: classes.batch, ...oriented });
    const width = oriented.columns.at(-1)!.extent % 4 === 0 ? 4 : 1;
    const alone: Contraction = {
      k,
      reduce,
      batch: classes.batch,
      ...oriented,
      ...sides,
      stores,
      riders: [],
      width,
    };
    const riders: Rider[] = [];
    let refusal: Refusal | undefined;
    for (const root of others) {
      const rider = riderOf(alone, root);
      if ("refused" in rider) refusal = rider;
      else riders.push(rider);
    }
    if (!refusal) return { ...alone, riders };
    reason = refusal;
  }
  return reason;
}
