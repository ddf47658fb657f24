/**
 * One summed variable for several, which are decoded from it: what the panel's chunks of k run over. Indices in which the
 * variables follow each other (the weights of a convolution) are affine again.
 */

import type { Reduce, Value } from "../../kernel/value.ts";
import { extentOf } from "./extent.ts";
import type { Contraction } from "./problem.ts";
import { takenBy } from "./lane_tile.ts";
import { cutSides } from "./sides.ts";

/** The same contraction over one summed variable, which the others are decoded from. */
export function flattenSummed(c: Contraction): Contraction {
  const { k, reduce } = c;
  if (reduce.vars.length === 1) return c;
  const flat = k.fresh(extentOf(reduce.vars), takenBy(c));
  const map = new Map<Value, Value>();
  let rest = flat;
  for (const v of [...reduce.vars].reverse()) {
    map.set(v, k.imod(rest, v.extent));
    rest = k.idiv(rest, v.extent);
  }
  const flattened = k.reduceOver(reduce.op, [flat], k.substitute(reduce.body, map));
  if (flattened.kind !== "reduce") return c;
  const stores = c.stores.map((s) => ({
    ...s,
    value: k.substitute(s.value, new Map([[reduce, flattened]])),
  }));
  const riders = c.riders.map(({ reduce, store }) => {
    const sum = k.reduceOver(reduce.op, [flat], k.substitute(reduce.body, map)) as Reduce;
    return { reduce: sum, store: { ...store, value: k.substitute(store.value, new Map([[reduce, sum]])) } };
  });
  return { ...c, reduce: flattened, stores, riders, ...cutSides(flattened.body, c) };
}
