/**
 * A lane's tile of the output with its sums in registers: what the register nest and the staged nest have in common.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import { Accumulator } from "../../kernel/reducers.ts";
import type { Value, Var } from "../../kernel/value.ts";
import type { Steps } from "./operand.ts";
import { decode, type FreshVars, layPlaces, tileExtents, tilesOf } from "./places.ts";
import { contiguousLoads, extentOf } from "./extent.ts";
import type { Contraction } from "./problem.ts";
import { productAt, type Row, rowsOf, storeResults, storeRider, type Tile } from "./product.ts";
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

/** Which tile a workgroup has, along both sides. */
export interface TileIndex {
  readonly rows: readonly Instr[];
  readonly columns: readonly Instr[];
}

/** Binds the batch of the workgroup. */
export function bindGroup(c: Contraction, ev: Evaluator, tiling: Tiling): TileIndex {
  const { b } = ev;
  const rowTiles = tileExtents(c.rows, tiling.rowWidth, tiling.grid[0] * tiling.rows);
  const columnTiles = tileExtents(c.columns, c.width, tiling.grid[1] * tiling.columns);
  const index = decode(b, b.group, [...c.batch.map((v) => v.extent), ...rowTiles, ...columnTiles]);
  c.batch.forEach((v, i) => ev.bind(v, index[i]!));
  return {
    rows: index.slice(c.batch.length, c.batch.length + rowTiles.length),
    columns: index.slice(c.batch.length + rowTiles.length),
  };
}

/** The lane's place among those along the rows and those along the columns. */
export const lanePlace = (b: IrBuilder, { grid }: Tiling): readonly Instr[] => decode(b, b.lane, grid);

/** Lays the rows and columns of the lane, in the phase where the cursor stands. */
export function layTile(
  c: Contraction,
  ev: Evaluator,
  fresh: FreshVars,
  tiling: Tiling,
  index: TileIndex,
): Tile {
  const [along, across] = tiling.grid;
  const lane = lanePlace(ev.b, tiling);
  const rows = layPlaces(ev, fresh, c.rows, tiling.rowWidth, index.rows, lane[0]!, along, tiling.rows);
  const columns = layPlaces(ev, fresh, c.columns, c.width, index.columns, lane[1]!, across, tiling.columns);
  return { c, ev, rows, columns };
}

/** What the sides are at a row, a column place and a step. */
export type SidesAt = (
  row: Row,
  column: number,
  step: number,
) => { readonly a: readonly Instr[]; readonly b: readonly Instr[] };

/** The sums of a lane's tile, and of the riders at its columns. */
export class LaneSums {
  readonly #sums: Accumulator;
  readonly #riding: readonly Accumulator[];

  constructor(readonly c: Contraction, b: IrBuilder, readonly tiling: Tiling) {
    const { rows, rowWidth, columns } = tiling;
    this.#sums = new Accumulator(b, c.reduce, c.width, rows * rowWidth * columns);
    this.#riding = c.riders.map((rider) => new Accumulator(b, rider.reduce, c.width, columns));
  }

  reset(): void {
    const { rows, rowWidth, columns } = this.tiling;
    for (let i = 0; i < rows * rowWidth * columns; i++) this.#sums.reset(i);
    for (const sum of this.#riding) for (let j = 0; j < columns; j++) sum.reset(j);
  }

  /** Adds every product of one turn. */
  add(tile: Tile, steps: Steps, sidesAt: SidesAt): void {
    const { columns } = this.tiling;
    const rows = rowsOf(tile.rows);
    for (let step = 0; step < steps.count; step++) {
      for (let column = 0; column < columns; column++) {
        rows.forEach((row, i) => {
          const { a, b } = sidesAt(row, column, step);
          const product = productAt(tile, steps, row, column, step, a, b);
          this.#sums.step(product, undefined, i * columns + column);
          if (i > 0) return;
          this.c.riders.forEach(({ reduce }, r) => {
            const riding = productAt(tile, steps, row, column, step, a, b, reduce);
            this.#riding[r]!.step(riding, undefined, column);
          });
        });
      }
    }
  }

  /** Stores what the sums become; the lane with the first of all rows stores the riders'. */
  store(tile: Tile, index: TileIndex): void {
    const { columns } = this.tiling;
    const { b } = tile.ev;
    rowsOf(tile.rows).forEach((row, i) => {
      for (let j = 0; j < columns; j++) storeResults(tile, row, j, this.#sums.result(i * columns + j));
    });
    if (this.#riding.length === 0) return;
    const places = [...index.rows, lanePlace(b, this.tiling)[0]!].filter((x) => x.kind !== "literal");
    const isFirst = places.length === 0
      ? undefined
      : places.map((x) => b.lt(x, 1)).reduce((x, y) => b.and(x, y));
    this.c.riders.forEach((rider, i) => {
      for (let j = 0; j < columns; j++) storeRider(tile, j, rider, this.#riding[i]!.result(j), isFirst);
    });
  }
}
