/**
 * Split K: few tiles and a long sum leave workers idle, so the sum is cut into parts (SCHEDULES §6.5).
 *
 * This is a rewriting of values, not a loop nest. The first kernel is the contraction Σ over one part, with the part's
 * number as one more batch axis, stored to scratch. The second is a map: the results with their sum replaced by Σ over
 * the parts, in a fixed order; what the parts leave over is summed there.
 */

import type { BufferRef, Value, Var } from "../../kernel/value.ts";
import type { LoweredGroup } from "../group.ts";
import { FreshVars } from "./places.ts";
import { type Contraction, extentOf } from "./problem.ts";
import { takenBy } from "./register.ts";
import { cutSides } from "./sides.ts";

export interface SplitSum {
  /** The parts: a contraction whose first batch axis is the part. */
  readonly parts: Contraction;
  /** The results, as values over the stored parts. */
  readonly combined: LoweredGroup;
  readonly scratch: BufferRef;
}

/**
 * The length of a part: at most `longest`, a multiple of 4 where the whole is, and with as little left over as can be
 * without halving it.
 */
export function partLength(extent: number, longest: number): number {
  const step = extent % 4 === 0 && longest >= 8 ? 4 : 1;
  let best = Math.floor(longest / step) * step;
  for (let length = best; length * 2 > longest; length -= step) {
    if (extent % length < extent % best) best = length;
  }
  return best;
}

/** Cuts the sum over its longest variable into about `wanted` parts; undefined where that variable is too short. */
export function splitSum(c: Contraction, wanted: number, label: string): SplitSum | undefined {
  const { k, reduce } = c;
  const v = reduce.vars.reduce((a, b) => b.extent > a.extent ? b : a);
  const length = partLength(v.extent, Math.ceil(v.extent / wanted));
  const count = Math.floor(v.extent / length);
  const left = v.extent - count * length;
  if (count < 2 || (left > 0 && reduce.op !== "sum")) return undefined;
  const fresh = new FreshVars(k, takenBy(c));
  const part = fresh.of(count) as Var;
  const within = fresh.of(length);
  const others = reduce.vars.filter((x) => x !== v);
  const body = k.substitute(reduce.body, new Map([[v, k.affine([[part, length], [within, 1]])]]));
  const partial = k.reduceOver(reduce.op, [...others, within], body);
  if (partial.kind !== "reduce") return undefined;

  const space = [part, ...c.batch, ...c.rows, ...c.columns];
  const scratch: BufferRef = {
    name: `${c.stores[0]!.buffer.name}:parts`,
    dtype: reduce.type,
    size: extentOf(space),
  };
  const strides = space.map((_, i) => extentOf(space.slice(i + 1)));
  const index = k.affine(space.map((x, i) => [x, strides[i]!] as const));
  const parts: Contraction = {
    k,
    reduce: partial,
    batch: [part, ...c.batch],
    rows: c.rows,
    columns: c.columns,
    ...cutSides(partial.body, c),
    stores: [{ buffer: scratch, value: partial, index }],
    width: c.width,
  };

  const sum = k.reduceOver(reduce.op, [part], k.load(scratch, index));
  const total = left === 0 ? sum : k.add(sum, restOf(c, fresh, v, others, count * length, left));
  const axes = [...c.batch, ...c.rows, ...c.columns];
  const roots = c.stores.map(({ buffer, value, index }) => ({
    value: k.substitute(value, new Map<Value, Value>([[reduce, total]])),
    shape: axes.map((x) => x.extent),
    axes,
    buffer,
    index,
  }));
  return { parts, combined: { values: k, roots, label }, scratch };
}

/** The sum over what no part holds. */
function restOf(
  c: Contraction,
  fresh: FreshVars,
  v: Var,
  others: readonly Var[],
  from: number,
  count: number,
): Value {
  const { k, reduce } = c;
  const rest = fresh.of(count);
  const body = k.substitute(reduce.body, new Map([[v, k.iadd(rest, from)]]));
  return k.reduceOver(reduce.op, [...others, rest], body);
}
