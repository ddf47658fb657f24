/**
 * Columns that come in no whole vectors, for a panel: their axis is made longer, and what is behind its end is computed
 * and not stored.
 *
 * So the products are of vectors whatever the size. A load behind the end finds another element, or the last of its
 * buffer, since loads are clamped to their buffers; the sums cannot lie in the result's own buffer meanwhile.
 */

import type { Reduce, Value, Var } from "../../kernel/value.ts";
import type { Contraction, Store } from "./problem.ts";
import { updatesInPlace } from "./product.ts";

/** A shorter axis would be padding for too great a part. */
export const shortestPadded = 8;

/** The contraction with columns of width 4; the same where they are already, or where reading behind the end is none's. */
export function padColumns(c: Contraction): Contraction {
  const { k } = c;
  const own = c.columns.at(-1)!;
  if (c.width === 4 || own.extent < shortestPadded) return c;
  if (updatesInPlace([...c.stores, ...c.riders.map((r) => r.store)])) return c;
  const taken = [...c.batch, ...c.rows, ...c.columns, ...c.reduce.vars];
  const padded = k.fresh(Math.ceil(own.extent / 4) * 4, taken) as Var;
  const map = new Map<Value, Value>([[own, padded]]);
  const moved = <V extends Value>(value: V): V => k.substitute(value, map) as V;
  const store = ({ buffer, value, index }: Store): Store => ({
    buffer,
    value: moved(value),
    index: moved(index),
  });
  return {
    ...c,
    reduce: moved<Reduce>(c.reduce),
    columns: [...c.columns.slice(0, -1), padded],
    a: c.a.map(moved),
    b: c.b.map(moved),
    stores: c.stores.map(store),
    riders: c.riders.map((r) => ({ reduce: moved<Reduce>(r.reduce), store: store(r.store) })),
    width: 4,
    end: { axis: padded, extent: own.extent },
  };
}
