/**
 * The register tile: every lane keeps a tile of sums in registers and walks k (SCHEDULES §6.3).
 *
 *     for the outer summed variables: for turns of the inner one, `depth` steps each:
 *         A at the lane's rows, B at its columns; sum[row][column] += combine(a, b)
 *     results from the sums, stored
 *
 * A and B are evaluated once per row and step, once per column and step; what of them does not depend on the loop is
 * evaluated before it. Steps that fill no turn are a loop of their own.
 */

import { type BuiltKernel, IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import { Evaluator } from "../../kernel/lower.ts";
import { Accumulator } from "../../kernel/reducers.ts";
import type { Value, Var } from "../../kernel/value.ts";
import { type Along, alongOf, Operand, Steps } from "./operand.ts";
import { decode, FreshVars, layPlaces, type Places, tileExtents, tilesOf } from "./places.ts";
import { contiguousLoads, type Contraction, extentOf } from "./problem.ts";
import { productAt, rowsOf, sidesAt, storeResults, storeRider, type Tile } from "./product.ts";
import type { Tiling } from "./tiling.ts";

/** The summed variables, the one that loads are contiguous in (else the longest) last. */
export function orderSummed({ reduce, a, b }: Contraction): Var[] {
  const score = (v: Var) => (v.extent % 4 === 0 ? contiguousLoads([...a, ...b], v) : 0) * 2 ** 31 + v.extent;
  let inner = reduce.vars[0]!;
  for (const v of reduce.vars) if (score(v) > score(inner)) inner = v;
  return [...reduce.vars.filter((v) => v !== inner), inner];
}

/** Everything that must not meet a new variable. */
export const takenBy = (c: Contraction): Value[] => [
  ...c.batch,
  ...c.rows,
  ...c.columns,
  ...c.reduce.vars,
  ...c.stores.flatMap((s) => [s.value, s.index]),
  ...c.riders.flatMap((r) => [r.store.value, r.store.index]),
];

/** How many workgroups the tiles of a contraction are. */
export const groupsOf = (c: Contraction, { grid, rows, rowWidth, columns }: Tiling): number =>
  extentOf(c.batch) * tilesOf(c.rows, rowWidth, grid[0], rows) *
  tilesOf(c.columns, c.width, grid[1], columns);

/** Binds the batch, and lays the rows and columns of a lane; `isFirst`: it has the first of all rows. */
function layTile(
  c: Contraction,
  ev: Evaluator,
  fresh: FreshVars,
  tiling: Tiling,
): { readonly tile: Tile; readonly isFirst: Instr | undefined } {
  const { b } = ev;
  const [along, across] = tiling.grid;
  const rowTiles = tileExtents(c.rows, tiling.rowWidth, along * tiling.rows);
  const columnTiles = tileExtents(c.columns, c.width, across * tiling.columns);
  const index = decode(b, b.group, [...c.batch.map((v) => v.extent), ...rowTiles, ...columnTiles]);
  c.batch.forEach((v, i) => ev.bind(v, index[i]!));
  const rowTile = index.slice(c.batch.length, c.batch.length + rowTiles.length);
  const columnTile = index.slice(c.batch.length + rowTiles.length);
  const lane = decode(b, b.lane, [along, across]);
  const rows = layPlaces(ev, fresh, c.rows, tiling.rowWidth, rowTile, lane[0]!, along, tiling.rows);
  const columns = layPlaces(ev, fresh, c.columns, c.width, columnTile, lane[1]!, across, tiling.columns);
  const first = [...rowTile, lane[0]!].filter((x) => x.kind !== "literal").map((x) => b.lt(x, 1));
  return {
    tile: { c, ev, rows, columns },
    isFirst: first.length === 0 ? undefined : first.reduce((x, y) => b.and(x, y)),
  };
}

export function registerKernel(c: Contraction, tiling: Tiling): BuiltKernel {
  const b = new IrBuilder(tiling.grid[0] * tiling.grid[1]);
  const ev = new Evaluator(c.k, b);
  const fresh = new FreshVars(c.k, takenBy(c));
  b.phase(() => {
    const { tile, isFirst } = layTile(c, ev, fresh, tiling);
    const rows = rowsOf(tile.rows);
    const sums = new Accumulator(b, c.reduce, c.width, rows.length * tiling.columns);
    const slot = (row: number, column: number) => row * tiling.columns + column;
    const riding = c.riders.map((rider) => new Accumulator(b, rider.reduce, c.width, tiling.columns));
    for (let i = 0; i < rows.length * tiling.columns; i++) sums.reset(i);
    for (const sum of riding) for (let j = 0; j < tiling.columns; j++) sum.reset(j);
    accumulate(tile, fresh, tiling, (i, j, product) => sums.step(product, undefined, slot(i, j)), riding);
    rows.forEach((row, i) => {
      for (let j = 0; j < tiling.columns; j++) storeResults(tile, row, j, sums.result(slot(i, j)));
    });
    c.riders.forEach((rider, i) => {
      for (let j = 0; j < tiling.columns; j++) storeRider(tile, j, rider, riding[i]!.result(j), isFirst);
    });
  });
  return b.finish(groupsOf(c, tiling));
}

type Add = (row: number, column: number, product: ReturnType<typeof productAt>) => void;

/** The loops over the summed variables around the products. */
function accumulate(
  tile: Tile,
  fresh: FreshVars,
  tiling: Tiling,
  add: Add,
  riding: readonly Accumulator[],
): void {
  const { c, ev } = tile;
  const { b, k } = ev;
  const summed = orderSummed(c);
  const inner = summed.at(-1)!;
  const depth = Math.min(tiling.depth, inner.extent);
  const turns = Math.floor(inner.extent / depth);
  const rest = inner.extent - turns * depth;

  /** One loop over the inner variable: `count` turns of `depth` steps from `first` on. */
  const walkInner = (first: number, count: number, depth: number) => {
    const turn = fresh.of(count);
    const steps = new Steps(ev, fresh, inner, k.affine([[turn, depth]], first), depth);
    const sides = operands(tile, steps);
    for (const side of [...sides.a, ...sides.b]) side.hoist([turn]);
    const body = () => multiply(tile, sides, steps, add, riding);
    if (turn.kind !== "var") return body();
    b.for(b.int(0), b.int(count), 1, (counter) => ev.with([[turn, counter]], body));
  };
  const nest = (i: number): void => {
    if (i < summed.length - 1) {
      const v = summed[i]!;
      return b.for(b.int(0), b.int(v.extent), 1, (counter) => ev.with([[v, counter]], () => nest(i + 1)));
    }
    walkInner(0, turns, depth);
    if (rest > 0) walkInner(turns * depth, rest, 1);
  };
  nest(0);
}

interface Sides {
  readonly a: readonly Operand[];
  readonly b: readonly Operand[];
}

/** Both sides over the tile, each evaluated along the axis in which it is contiguous. */
export function operands({ c, ev, rows, columns }: Tile, steps: Steps): Sides {
  const make = (side: Value, places: Places, own: Var | undefined): Operand => {
    const best = alongOf([side], own, steps.variable, steps.count);
    const along: Along = best === "k" ? "k" : places.width === 4 ? "own" : "none";
    return new Operand(ev, side, places, steps, along);
  };
  return {
    a: c.a.map((side) => make(side, rows, c.rows.at(-1))),
    b: c.b.map((side) => make(side, columns, c.columns.at(-1))),
  };
}

/** Every product of one turn. */
function multiply(tile: Tile, sides: Sides, steps: Steps, add: Add, riding: readonly Accumulator[]): void {
  const rows = rowsOf(tile.rows);
  for (let step = 0; step < steps.count; step++) {
    for (let column = 0; column < tile.columns.count; column++) {
      rows.forEach((row, i) => {
        const { a, b } = sidesAt(sides.a, sides.b, row, column, step);
        add(i, column, productAt(tile, steps, row, column, step, a, b));
        if (i > 0) return;
        tile.c.riders.forEach(({ reduce }, r) => {
          riding[r]!.step(productAt(tile, steps, row, column, step, a, b, reduce), undefined, column);
        });
      });
    }
  }
}
