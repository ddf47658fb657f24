/**
 * How large the tiles of a contraction are: the target's numbers, fitted to the sizes at hand.
 *
 * A tile that hangs over the edge computes for nobody, so a dimension that is short gets fewer places per lane, and
 * lanes that find no rows move over to the columns (and the other way round).
 */

import { walk } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import { orderSummed } from "./lane_tile.ts";
import { alongOf } from "./operand.ts";
import { extentOf } from "./extent.ts";
import type { Contraction } from "./problem.ts";
import { workOf } from "./work.ts";

export interface Tiling {
  readonly shape: "panel" | "register";
  /** Lanes along rows and along columns. */
  readonly grid: readonly [number, number];
  /** Row places per lane, each `rowWidth` rows; of a panel, the rows that a lane walks along. */
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

/** The halvings of a number of places, the number itself first. */
function halvings(places: number): number[] {
  const all = [places];
  while (all.at(-1)! > 1) all.push(Math.ceil(all.at(-1)! / 2));
  return all;
}

/**
 * The tile that takes the least time: workgroups come in waves of as many as the target runs at once, and a lane's step
 * is its products and the loads for them. So a large output gets large tiles, which load less per product, and a small
 * one gets enough of them.
 */
export function registerTiling(c: Contraction, target: Target): Tiling {
  const { tile, depth: wanted, load, partSteps } = target.contraction;
  const inner = orderSummed(c).at(-1)!;
  const ownRows = c.rows.at(-1);
  const byRows = ownRows !== undefined && ownRows.extent % 4 === 0 && tile[0] % 4 === 0 &&
    alongOf(c.a, ownRows, inner, wanted) === "own";
  const rowWidth = byRows ? 4 : 1;
  const columnUnits = extentOf(c.columns) / c.width;
  const rowUnits = extentOf(c.rows) / rowWidth;
  const grid = fitGrid(target.contraction.grid, rowUnits, columnUnits);
  const timeOf = (rows: number, columns: number): number => {
    const groups = extentOf(c.batch) * Math.ceil(rowUnits / (grid[0] * rows)) *
      Math.ceil(columnUnits / (grid[1] * columns));
    // Split sums fill the last wave.
    const waves = partSteps > 0 ? groups / target.parallel : Math.ceil(groups / target.parallel);
    return Math.max(1, waves) * (rows * rowWidth * columns + load * (rows + columns));
  };
  const mostRows = fit(tile[0] / rowWidth, rowUnits, grid[0]);
  // Scalar columns cost four times the statements of vectors, so a lane takes fewer of them.
  const mostColumns = fit(c.width === 4 ? tile[1] / 4 : Math.min(4, tile[1]), columnUnits, grid[1]);
  let [rows, columns] = [mostRows, mostColumns];
  for (const r of halvings(mostRows)) {
    for (const n of halvings(mostColumns)) if (timeOf(r, n) < timeOf(rows, columns)) [rows, columns] = [r, n];
  }
  // A product and a sum per place and step, and the loads, which cost a compiler as they cost a lane.
  const perStep = rows * rowWidth * columns * 2 + load * (rows + columns);
  let depth = Math.min(wanted, inner.extent);
  while (depth > 1 && perStep * depth > target.statements) depth = Math.ceil(depth / 2);
  return { shape: "register", grid, rows, rowWidth, columns, depth };
}

/** The largest depth near the wanted one that leaves no rest, else the wanted one. */
function panelDepth(extent: number, wanted: number): number {
  if (extent <= wanted + wanted / 2) return extent;
  // By fours, so that a side that is contiguous in k is read in vectors.
  for (let depth = Math.floor(wanted * 1.25 / 4) * 4; depth > 0 && depth >= wanted / 2; depth -= 4) {
    if (extent % depth === 0) return depth;
  }
  return wanted;
}

/** Whether lanes hand on what they load of A (emit/shared_loads.ts): all need the same of it, in words. */
function handsOn(c: Contraction, broadcast: number, [rowLanes, lanes]: readonly [number, number]): boolean {
  if (rowLanes > 1 || lanes > broadcast) return false;
  let words = true;
  walk(c.a, (v) => {
    if (v.kind === "load" && v.buffer.dtype !== "f32") words = false;
  });
  return words;
}

/**
 * A panel's columns of a lane and steps of k per turn. Half the columns and twice the steps are as many products, with
 * sums that are read and written half as often, but an element of A is then for half as many of them. So that pays where
 * its load is handed on and little else is done to it.
 */
function panelShape(
  c: Contraction,
  target: Target,
  grid: readonly [number, number],
  most: number,
): { readonly columns: number; readonly depth: number } {
  const { depth: wanted, load } = target.contraction;
  const summed = extentOf(c.reduce.vars);
  if (c.windows) return { columns: most, depth: c.windows.steps };
  if (!handsOn(c, target.broadcast, grid)) return { columns: most, depth: panelDepth(summed, wanted) };
  const lanes = grid[1];
  const units = extentOf(c.columns) / c.width;
  const shapes = halvings(most).map((columns) => {
    const depth = panelDepth(summed, wanted * most / columns);
    const vectors = Math.ceil(depth / 4);
    const rows = workOf(c.a, c.reduce.vars, load / Math.min(lanes, vectors)) / (4 * columns);
    const sums = depth === summed ? 0 : 2 * load / depth;
    const used = units / (Math.ceil(units / (lanes * columns)) * lanes * columns);
    return { columns, depth, time: (1 + rows + sums) / used };
  });
  return shapes.reduce((best, shape) => shape.time < best.time ? shape : best);
}

/** Rows that pay for filling a panel, where the sum is long enough to be split over workgroups instead. */
const worthAPanel = ({ contraction: { partSteps, panelPays } }: Target, summed: number): number =>
  partSteps > 0 && summed >= 2 * partSteps ? panelPays : 1;

/**
 * Lanes along rows and along columns: all along the columns, unless those are so few that a lane would have a column or
 * two to a row of A, which costs as much to load as four columns to multiply. Where lanes hand on what they load it costs
 * little, and they stay with the columns as long as each has one.
 */
function panelGrid(
  { contraction: { grid, panelPays }, broadcast }: Target,
  columnUnits: number,
  mostColumns: number,
  rows: number,
): readonly [number, number] {
  const lanes = grid[0] * grid[1];
  const most = lanes <= broadcast ? 1 : mostColumns;
  let across = lanes;
  while (across % 2 === 0 && columnUnits <= across / 2 * most && rows >= panelPays * 2 * lanes / across) {
    across /= 2;
  }
  return [lanes / across, across];
}

/**
 * The panel's tile, or undefined where too few rows would share a panel.
 *
 * @param c With one summed variable.
 */
export function panelTiling(c: Contraction, target: Target): Tiling | undefined {
  const { tile, panelRows: [least, most] } = target.contraction;
  const columnUnits = extentOf(c.columns) / c.width;
  const extent = extentOf(c.rows);
  if (extent < least) return undefined;
  const mostColumns = c.width === 4 ? tile[1] / 4 : Math.min(4, tile[1]);
  const [rowLanes, lanes] = panelGrid(target, columnUnits, mostColumns, extent);
  const { columns, depth } = panelShape(c, target, [rowLanes, lanes], fit(mostColumns, columnUnits, lanes));
  const tiles = Math.ceil(columnUnits / (lanes * columns)) * extentOf(c.batch);
  const summed = extentOf(c.reduce.vars);
  // Long loops over rows pay for filling the panel; but every worker wants a workgroup.
  const share = Math.max(
    least,
    Math.ceil(extent * tiles / target.parallel / rowLanes),
    worthAPanel(target, summed),
  );
  // Per chunk the loops that fill the panel, and the rows.
  const turns = Math.floor(target.quirks.loopBound / (Math.ceil(summed / depth) + columns + 1)) -
    depth * (columns + 1);
  const rows = Math.max(1, Math.min(most, Math.ceil(extent / rowLanes), share, turns));
  const unit = c.windows ? c.rows.at(-1)!.extent : 1;
  const perLane = extent / rowLanes;
  const balanced = Math.ceil(perLane / Math.ceil(perLane / rows) / unit) * unit;
  return { shape: "panel", grid: [rowLanes, lanes], rows: balanced, rowWidth: 1, columns, depth };
}
