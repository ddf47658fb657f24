/**
 * Split K: few tiles and a long sum leave workers idle, so the sum is cut into parts (SCHEDULES §6.5).
 *
 * This is a rewriting of values, not a loop nest. The first kernel is the contraction Σ over one part, with the part's
 * number as one more batch axis, stored to scratch. The second is a map: the results with their sum replaced by Σ over
 * the parts, in a fixed order; what the parts leave over is summed there.
 */

import type { BufferRef, Reduce, Value, Var } from "../../kernel/value.ts";
import type { LoweredGroup, Root } from "../group.ts";
import { FreshVars } from "./places.ts";
import { extentOf } from "./extent.ts";
import type { Contraction, Store } from "./problem.ts";
import { takenBy } from "./lane_tile.ts";
import { cutSides } from "./sides.ts";

export interface SplitSum {
  /** The parts: a contraction whose first batch axis is the part. */
  readonly parts: Contraction;
  /** The results as values over the stored parts, and each rider's. */
  readonly combined: readonly LoweredGroup[];
  readonly scratch: readonly BufferRef[];
}

/**
 * The length of a part: at most `longest`, a multiple of 4 where the whole is, and with as little left over as can be
 * without halving it.
 *
 * Of the lengths that give as many parts the longest leaves the least, so one of each is tried: there are about as many as
 * parts are wanted, however long the sum is.
 */
export function partLength(extent: number, longest: number): number {
  const step = extent % 4 === 0 && longest >= 8 ? 4 : 1;
  const whole = extent / step;
  let best = Math.floor(longest / step);
  for (let length = best; length * step * 2 > longest;) {
    if (whole % length < whole % best) best = length;
    length = Math.floor(whole / (Math.floor(whole / length) + 1));
  }
  return best * step;
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
  const rest = fresh.of(left);
  const others = reduce.vars.filter((x) => x !== v);

  /** Stores the sum over one part, and gives its results back over the stored parts. */
  const cut = (sum: Reduce, stores: readonly Store[], axes: readonly Var[]): Cut => {
    const body = k.substitute(sum.body, new Map([[v, k.affine([[part, length], [within, 1]])]]));
    const partial = k.reduceOver(sum.op, [...others, within], body);
    const space = [part, ...axes];
    const name = `${stores[0]!.buffer.name}:parts`;
    const dense = k.affine(axes.map((x, i) => [x, extentOf(axes.slice(i + 1))] as const));
    const isLikeResult = stores.every((store) => store.index === dense);
    const buffer: BufferRef = {
      name,
      dtype: sum.type,
      size: extentOf(space),
      ...isLikeResult && { parts: count },
    };
    const index = k.affine(space.map((x, i) => [x, extentOf(space.slice(i + 1))] as const));
    const stored = k.reduceOver(sum.op, [part], k.load(buffer, index));
    const remaining = k.substitute(sum.body, new Map([[v, k.iadd(rest, count * length)]]));
    const total = left === 0 ? stored : k.add(stored, k.reduceOver(sum.op, [...others, rest], remaining));
    const roots = stores.map(({ buffer, value, index }): Root => ({
      value: k.substitute(value, new Map<Value, Value>([[sum, total]])),
      shape: axes.map((x) => x.extent),
      axes,
      buffer,
      index,
    }));
    return { partial, store: { buffer, value: partial, index }, combined: { values: k, roots, label } };
  };

  const main = cut(reduce, c.stores, [...c.batch, ...c.rows, ...c.columns]);
  const riders = c.riders.map((rider) => cut(rider.reduce, [rider.store], [...c.batch, ...c.columns]));
  if ([main, ...riders].some((x) => x.partial.kind !== "reduce")) return undefined;
  const parts: Contraction = {
    ...c,
    reduce: main.partial as Reduce,
    batch: [part, ...c.batch],
    ...cutSides((main.partial as Reduce).body, c),
    stores: [main.store],
    riders: riders.map(({ partial, store }) => ({ reduce: partial as Reduce, store })),
  };
  return {
    parts,
    combined: [main, ...riders].map((x) => x.combined),
    scratch: [main, ...riders].map((x) => x.store.buffer),
  };
}

interface Cut {
  readonly partial: Value;
  readonly store: Store;
  readonly combined: LoweredGroup;
}
