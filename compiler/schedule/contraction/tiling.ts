/**
 * How large the tiles of a contraction are: the target's numbers, fitted to the sizes at hand.
 *
 * A tile that hangs over the edge computes for nobody, so a dimension that is short gets fewer places per lane, and
 * lanes that find no rows move over to the columns (and the other way round).
 */

import type { Target } from "../../target.ts";
import { alongOf } from "./operand.ts";
import { type Contraction, extentOf } from "./problem.ts";
import { orderSummed } from "./lane_tile.ts";

export interface Tiling {
  readonly shape: "panel" | "register";
  /** Lanes along rows and along columns. */
  readonly grid: readonly [number, number];
  /** Row places per lane, each `rowWidth` rows. */
  readonly rows: number;
  readonly rowWidth: 1 | 4;
  /** Column places per lane, each as wide as the contraction's vectors. */
  readonly columns: number;
  /** Steps of k per turn, unrolled. */
  readonly depth: number;
}

/** Halves a number of places while half of them would cover the side as well. */
function fit(places: number, units: number, lanes: number): number {
  let fitted = places;
  while (fitted > 1 && units <= lanes * Math.ceil(fitted / 2)) fitted = Math.ceil(fitted / 2);
  return fitted;
}

/** Moves lanes from a side that has too few units for them to the other. */
function fitGrid(
  [rows, columns]: readonly [number, number],
  rowUnits: number,
  columnUnits: number,
): [number, number] {
  let grid: [number, number] = [rows, columns];
  while (grid[0] % 2 === 0 && rowUnits <= grid[0] / 2 && columnUnits > grid[1]) {
    grid = [grid[0] / 2, grid[1] * 2];
  }
  while (grid[1] % 2 === 0 && columnUnits <= grid[1] / 2 && rowUnits > grid[0]) {
    grid = [grid[0] * 2, grid[1] / 2];
  }
  return grid;
}

export function registerTiling(c: Contraction, target: Target): Tiling {
  const { tile, depth: wanted } = target.contraction;
  const inner = orderSummed(c).at(-1)!;
  const rowExtent = extentOf(c.rows);
  const ownRows = c.rows.at(-1);
  const byRows = ownRows !== undefined && ownRows.extent % 4 === 0 && tile[0] % 4 === 0 &&
    alongOf(c.a, ownRows, inner, wanted) === "own";
  const rowWidth = byRows ? 4 : 1;
  const columnUnits = extentOf(c.columns) / c.width;
  const rowUnits = rowExtent / rowWidth;
  const grid = fitGrid(target.contraction.grid, rowUnits, columnUnits);
  const rows = fit(tile[0] / rowWidth, rowUnits, grid[0]);
  // Scalar columns cost four times the statements of vectors, so a lane takes fewer of them.
  const columns = fit(c.width === 4 ? tile[1] / 4 : Math.min(4, tile[1]), columnUnits, grid[1]);
  // A product and a sum per place and step, under the limit of statements.
  const perStep = rows * rowWidth * columns * 2;
  let depth = Math.min(wanted, inner.extent);
  while (depth > 1 && perStep * depth > target.statements) depth = Math.ceil(depth / 2);
  return { shape: "register", grid, rows, rowWidth, columns, depth };
}

/** The largest depth near the wanted one that leaves no rest, else the wanted one. */
function panelDepth(extent: number, wanted: number): number {
  if (extent <= wanted + wanted / 2) return extent;
  for (let depth = wanted + wanted / 4; depth >= wanted / 2; depth -= 4) {
    if (extent % depth === 0) return depth;
  }
  return wanted;
}

/** @param c With one summed variable. */
export function panelTiling(c: Contraction, target: Target): Tiling {
  const { tile, depth, grid } = target.contraction;
  const lanes = grid[0] * grid[1];
  const columnUnits = extentOf(c.columns) / c.width;
  const columns = fit(c.width === 4 ? tile[1] / 4 : Math.min(4, tile[1]), columnUnits, lanes);
  const columnTiles = Math.ceil(columnUnits / (lanes * columns)) * extentOf(c.batch);
  // Long loops over rows pay for filling the panel; but every worker wants a workgroup.
  const share = Math.ceil(extentOf(c.rows) * columnTiles / target.parallel);
  const rows = Math.max(1, Math.min(tile[0], extentOf(c.rows), share));
  const balanced = Math.ceil(extentOf(c.rows) / Math.ceil(extentOf(c.rows) / rows));
  const summed = extentOf(c.reduce.vars);
  return {
    shape: "panel",
    grid: [1, lanes],
    rows: balanced,
    rowWidth: 1,
    columns,
    depth: panelDepth(summed, depth),
  };
}
