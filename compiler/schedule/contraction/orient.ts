/**
 * Which side of a contraction is its columns, with the vector axis last.
 *
 * Where sums lie in registers, neighboring lanes should store neighboring elements: the side whose axis is contiguous in
 * the first result. A panel stores once and reads at every step, so there it is a question of work: a column's element
 * is evaluated once for all rows of a workgroup, a row's once for the few columns of a lane. So the side that is dear to
 * evaluate (the pixels of a convolution, with their border) wants to be the columns, and so does one in whole vectors.
 */

import { isContiguous } from "../../kernel/stride.ts";
import type { Reduce, Value, Var } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import { extentOf } from "./extent.ts";
import { shortestPadded } from "./pad.ts";
import type { Store } from "./problem.ts";
import { cutSides } from "./sides.ts";
import { scattered, workOf } from "./work.ts";

export interface Orientation {
  readonly rows: readonly Var[];
  readonly columns: readonly Var[];
}

/** The coefficient of a variable in an index; 0 where it is not affine in it. */
function strideOf(index: Value, v: Var): number {
  if (index === v) return 1;
  return index.kind === "linear" ? index.terms.find((t) => t.atom === v)?.coefficient ?? 0 : 0;
}

/** A side as columns, its best vector axis last; and how good that is. */
function asColumns(
  index: Value,
  side: readonly Var[],
  shape: Target["contraction"]["shape"],
): { columns: readonly Var[]; score: number } {
  const [next, whole] = shape === "panel" ? [1, 2] : [2, 1];
  const scoreOf = (v: Var): number =>
    (v.extent % 4 === 0 && isContiguous(index, v) ? 4 : 0) + (strideOf(index, v) === 1 ? next : 0) +
    (v.extent % 4 === 0 ? whole : 0);
  let best = side.at(-1)!;
  for (const v of side) if (scoreOf(v) > scoreOf(best)) best = v;
  return { columns: [...side.filter((v) => v !== best), best], score: scoreOf(best) };
}

/** Both ways to see the sides, the better one first. */
export function orient(
  reduce: Reduce,
  stores: readonly Store[],
  one: readonly Var[],
  other: readonly Var[],
  { contraction }: Target,
): readonly Orientation[] {
  const index = stores[0]!.index;
  const two = asColumns(index, other, contraction.shape);
  const second: Orientation = { rows: one, columns: two.columns };
  if (one.length === 0) return [second];
  const { columns, score } = asColumns(index, one, contraction.shape);
  const first: Orientation = { rows: other, columns };
  const order = (firstIsBetter: boolean) => firstIsBetter ? [first, second] : [second, first];
  if (contraction.shape === "register") return order(score > two.score);
  const [a, b] = [first, second].map((orientation) => panelWork(reduce, index, orientation, contraction));
  // Equal work: store vectors.
  return order(a! < b! || (a === b && score > two.score));
}

/** Products of a vector that one product comes to in a panel, with everything around it. */
function panelWork(
  reduce: Reduce,
  index: Value,
  { rows, columns }: Orientation,
  { load, tile, panelRows: [, most], depth, grid }: Target["contraction"],
): number {
  const vector = columns.at(-1)!;
  const isWhole = vector.extent % 4 === 0;
  const width = isWhole || vector.extent >= shortestPadded ? 4 : 1;
  const lanes = grid[0] * grid[1];
  const perLane = Math.min(width === 4 ? tile[1] : 4, Math.ceil(extentOf(columns) / lanes / width) * width);
  const tiles = Math.ceil(extentOf(columns) / (lanes * perLane));
  const used = extentOf(columns) / (tiles * lanes * perLane);
  const terms = extentOf(reduce.vars);
  const { a, b } = cutSides(reduce.body, { batch: [], rows, columns });
  const access = isWhole ? load : load * scattered;
  const perRow = workOf(a, [...reduce.vars], load) / perLane;
  const perColumn = (workOf(b, [vector, ...reduce.vars], load) + access) / Math.min(most, extentOf(rows));
  const sums = terms <= depth ? 0 : 2 * access / depth;
  const results = (isContiguous(index, vector) ? load : load * scattered) / terms;
  return (1 + perRow + perColumn + sums + results) / used;
}
