/**
 * Maps over rows whose length is no multiple of 4: with as many places in a row as whole vectors have, of which the last
 * ones are not stored. What is computed for them is whatever lies nearby (loads stay inside their buffers by themselves,
 * lower.ts).
 *
 * One loop over everything (map_loops.ts) makes whole vectors too, but each of its elements may be in another row, and
 * takes divisions and loads of its own. Where neighbors share what they load, as windows do, rows are better.
 */

import type { IrBuilder } from "../kernel/build.ts";
import type { Instr } from "../kernel/ir.ts";
import type { Evaluator } from "../kernel/lower.ts";
import { type Value, type Var, walk } from "../kernel/value.ts";
import type { LoweredGroup } from "./group.ts";
import type { MapStore } from "./map_loops.ts";

/** Shorter rows are mostly places that are not there. */
const shortest = 6;

/** A group whose last axis has places for whole vectors, and how many of them there are. */
export interface Padded {
  readonly group: LoweredGroup;
  readonly axis: Var;
  readonly extent: number;
}

/** The group with its last axis padded; undefined where that has whole vectors already, or few elements, or isn't one. */
export function padded(group: LoweredGroup): Padded | undefined {
  const { values: k, roots } = group;
  const axis = roots[0]!.axes.at(-1)!;
  if (axis.kind !== "var" || axis.extent % 4 === 0 || axis.extent < shortest) return undefined;
  if (roots.some((root) => root.axes.at(-1) !== axis)) return undefined;
  const taken: Value[] = [];
  walk(roots.flatMap((r) => [r.value, r.index, ...r.axes]), (v) => {
    if (v.kind === "var") taken.push(v);
    if (v.kind === "reduce") taken.push(...v.vars);
  });
  const wider = k.fresh(Math.ceil(axis.extent / 4) * 4, taken) as Var;
  const map = new Map<Value, Value>([[axis, wider]]);
  const placed = roots.map((root) => ({
    ...root,
    value: k.substitute(root.value, map),
    index: k.substitute(root.index, map),
    axes: [...root.axes.slice(0, -1), wider],
  }));
  return { group: { ...group, roots: placed }, axis: wider, extent: axis.extent };
}

/** Stores those of four neighbors that there are; `at` is the first one's place in its row. */
export function storeExisting(
  b: IrBuilder,
  ev: Evaluator,
  { index, buffer }: MapStore,
  value: Instr,
  at: Instr,
  extent: number,
): void {
  const first = ev.eval(index);
  ([0, 1, 2, 3] as const).forEach((c) => {
    const store = () => b.store(buffer, b.add(first, c), b.component(value, c));
    // The last vector has one element at least.
    if (c === 0) store();
    else b.if(b.lt(b.add(at, c), extent), store);
  });
}
