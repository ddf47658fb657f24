/**
 * The products of a lane's tile, and what becomes of their sums: shared by all loop nests of a contraction.
 *
 * A product is the reduction's body at one row, one column place and one step, with its sides bound to what was already
 * evaluated for the row and for the column; so whatever combines the sides is evaluated as any value is.
 */

import type { Instr } from "../../kernel/ir.ts";
import { type Evaluator } from "../../kernel/lower.ts";
import { isContiguous } from "../../kernel/stride.ts";
import { childrenOf, type Reduce, type Value, type Var, walk } from "../../kernel/value.ts";
import type { Operand, Steps } from "./operand.ts";
import type { Bindings, Places } from "./places.ts";
import type { Contraction, Store } from "./problem.ts";
import type { Rider } from "./riders.ts";

/** One row of a lane's tile: a component of a row place. */
export interface Row {
  readonly place: number;
  readonly component: number;
}

export const rowsOf = (places: Places): Row[] =>
  Array.from({ length: places.count * places.width }, (_, i) => ({
    place: Math.floor(i / places.width),
    component: i % places.width,
  }));

export interface Tile {
  readonly c: Contraction;
  readonly ev: Evaluator;
  readonly rows: Places;
  readonly columns: Places;
}

/** The variables of both sides at a row and a column place; a place of width 4 along its component. */
export function at({ ev, rows, columns }: Tile, row: Row, column: number, component?: number): Bindings {
  return [
    ...rows.at(row.place, ev.k.int(row.component)),
    ...columns.at(column, component === undefined ? columns.component : ev.k.int(component)),
  ];
}

/** Evaluates the body of a reduction, given what the contraction's sides are there. */
export function productAt(
  tile: Tile,
  steps: Steps,
  row: Row,
  column: number,
  step: number,
  a: readonly Instr[],
  b: readonly Instr[],
  sum: Reduce = tile.c.reduce,
): Instr {
  const { c, ev, columns } = tile;
  const here = new Map<Value, Value>([...at(tile, row, column), ...steps.at(step)]);
  const along = alongOf(columns);
  const bound: (readonly [Value, Instr])[] = [];
  const bind = (side: Value, instr: Instr) => {
    const value = ev.k.substitute(side, here);
    // At this very step a side may be a number (a padding is) or the same for all columns, and is wanted as such.
    if (value.kind === "const") return;
    const isWide = instr.type.width === 4 && !(along && ev.varies(value, along));
    bound.push([value, isWide ? ev.b.component(instr, 0) : instr]);
  };
  a.forEach((instr, i) => bind(c.a[i]!, instr));
  b.forEach((instr, i) => bind(c.b[i]!, instr));
  const body = ev.k.substitute(sum.body, here);
  const product = ev.with(bound, () => ev.eval(body, columns.width, along));
  return ev.b.widen(product, columns.width);
}

/** What a place's components are evaluated along; undefined where it has one. */
export const alongOf = (columns: Places): Var | undefined =>
  columns.component.kind === "var" ? columns.component : undefined;

/** Both sides at a row and a column place. */
export const sidesAt = (
  a: readonly Operand[],
  b: readonly Operand[],
  row: Row,
  column: number,
  step: number,
): { readonly a: readonly Instr[]; readonly b: readonly Instr[] } => ({
  a: a.map((side) => side.scalar(row.place, row.component, step)),
  b: b.map((side) => side.vector(column, step)),
});

/** Evaluates the results from a finished sum and stores them, where row and column exist. */
export function storeResults(tile: Tile, row: Row, column: number, sum: Instr): void {
  const { c } = tile;
  storeAt(tile, row, column, [c.reduce, sum], c.stores, tile.rows.inside(row.place));
}

/**
 * Reads, where the cursor stands, what the results at a row and a column need besides the sum (a residual), so that the sum
 * has not to be kept while it is read: some compilers then keep every product of it too.
 */
export function readBesideSum(tile: Tile, row: Row, column: number): void {
  const { c: { reduce, stores }, ev, columns } = tile;
  const { k } = ev;
  if (columns.inside(column) && updatesInPlace(stores)) return;
  const here = new Map<Value, Value>(at(tile, row, column));
  const sum = k.substitute(reduce, here);
  const needs = new Map<Value, boolean>([[sum, true]]);
  const needsSum = (value: Value): boolean => {
    const known = needs.get(value);
    if (known !== undefined) return known;
    const found = childrenOf(value).some(needsSum);
    needs.set(value, found);
    return found;
  };
  const seen = new Set<Value>();
  const read = (value: Value): void => {
    if (value === sum || value.kind === "const" || value.kind === "var" || seen.has(value)) return;
    seen.add(value);
    if (needsSum(value)) childrenOf(value).forEach(read);
    else ev.eval(value, columns.width, alongOf(columns));
  };
  for (const { value } of stores) read(k.substitute(value, here));
}

/** Stores a rider's result for a column place, where the condition holds and the column exists. */
export function storeRider(
  tile: Tile,
  column: number,
  rider: Rider,
  sum: Instr,
  condition: Instr | undefined,
): void {
  storeAt(tile, { place: 0, component: 0 }, column, [rider.reduce, sum], [rider.store], condition);
}

function storeAt(
  tile: Tile,
  row: Row,
  column: number,
  [reduce, sum]: readonly [Reduce, Instr],
  stores: readonly Store[],
  condition: Instr | undefined,
): void {
  const { c, ev, columns } = tile;
  const { b, k } = ev;
  const here = new Map<Value, Value>(at(tile, row, column));
  const along = alongOf(columns);
  const inside = [condition, columns.inside(column)].filter((x) => x !== undefined);
  const guarded = (f: () => void) =>
    inside.length === 0 ? f() : b.if(inside.reduce((x, y) => b.and(x, y)), f);
  const evaluate = () =>
    stores.map((store) => ev.eval(k.substitute(store.value, here), columns.width, along));
  const write = (results: readonly Instr[]) =>
    stores.forEach((store, i) => {
      const index = k.substitute(store.index, here);
      if (!along) b.store(store.buffer, ev.eval(index), results[i]!);
      else if (!c.end && isContiguous(index, along) && store.buffer.size % 4 === 0) {
        b.store(store.buffer, ev.eval(index), b.widen(results[i]!, 4));
      } else {
        for (const e of [0, 1, 2, 3] as const) {
          const one = k.substitute(index, new Map([[along, k.int(e)]]));
          const write = () => b.store(store.buffer, ev.eval(one), b.component(results[i]!, e));
          const exists = c.end && ev.eval(k.lt(endedAt(tile, column, e, c.end.axis), c.end.extent));
          if (exists) b.if(exists, write);
          else write();
        }
      }
    });
  ev.with([[k.substitute(reduce, here), sum]], () => {
    if (updatesInPlace(stores)) return guarded(() => write(evaluate()));
    // Outside the condition rows share what they read.
    const results = evaluate();
    guarded(() => write(results));
  });
}

/** Where one component of a column place is along an axis. */
const endedAt = ({ ev, columns }: Tile, column: number, component: number, axis: Var): Value =>
  columns.at(column, ev.k.int(component)).find(([v]) => v === axis)![1];

/** Is something stored over what is read? Then a place that does not exist must not read its neighbor's either. */
export function updatesInPlace(stores: readonly Store[]): boolean {
  const written = new Set(stores.map((s) => s.buffer.name));
  let found = false;
  walk(stores.map((s) => s.value), (v) => {
    if (v.kind === "load" && written.has(v.buffer.name)) found = true;
  });
  return found;
}
