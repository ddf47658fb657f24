/**
 * What the loop of a contraction does, in operations on single numbers: its products, and what they are made of.
 *
 * The lanes of a workgroup stand side by side along the columns, each with a few whole vectors of them. A value that
 * misses the columns (an element of the rows' side) is evaluated by every lane again, once for the columns that it has;
 * one that misses the rows once for the rows of a workgroup, and kept. Lanes without columns idle, and take as long as
 * the others: where 10 columns are given to 8 lanes by fours, 5 lanes have none, and each of the other three loads an
 * element of the rows' side for four products, where in a wide product it does so for sixteen.
 *
 * Which side is the columns is the schedule's choice (`schedule/contraction/orient.ts`); here it is the cheaper one.
 */

import { childrenOf, type Reduce, type Value, type Var } from "../kernel/value.ts";
import { normalize } from "../schedule/contraction/normal.ts";
import { classify } from "../schedule/contraction/sides.ts";
import type { LoweredGroup, Root } from "../schedule/group.ts";
import { accessOf, type CostModel, stepsOfValue } from "./worthwhile.ts";

/** Rows of a workgroup at most, which share what misses them. */
const mostRows = 256;

const extentOf = (vars: Iterable<Var>): number => {
  let n = 1;
  for (const v of vars) n *= v.extent;
  return n;
};

/**
 * Operations of a contraction's loop, and of keeping its sums; what is done to the sums then is none of them.
 *
 * @param main The one reduction of the group that has two sides.
 */
export function contractionSteps({ values, roots }: LoweredGroup, main: Reduce, cost: CostModel): number {
  const { tileColumns, lanes = 1, parallel = 1 } = cost;
  const sizeOf = ({ shape }: Root) => shape.reduce((n, d) => n * d, 1);
  const normal = normalize(values, [roots.reduce((a, b) => sizeOf(b) > sizeOf(a) ? b : a)]);
  const { reduce, axes } = "refused" in normal ? { reduce: main, axes: [...main.free] } : normal;
  const products = extentOf([...axes, ...reduce.vars]);
  const sides = classify(reduce.body, axes, reduce.vars);
  const [one, other] = "refused" in sides ? [[], axes] : [sides.rows, sides.columns];
  const ways = one.length === 0 ? [[one, other] as const] : [[one, other], [other, one]] as const;
  const perProduct = ways.map(([rows, columns]) => {
    const width = extentOf(columns);
    const perLane = Math.min(tileColumns, 4 * Math.ceil(width / lanes / 4));
    const computed = Math.ceil(width / (lanes * perLane)) * lanes * perLane;
    const perWorkgroup = Math.max(1, Math.min(mostRows, extentOf(rows) / parallel));
    const sum = 1;
    return computed / width * (sum + stepsOf(reduce.body, rows, columns, perWorkgroup, perLane, cost));
  });
  return products * Math.min(...perProduct) + 2 * accessOf(cost) * extentOf(axes);
}

/** Operations of one product, where so many rows and columns share what misses them. */
function stepsOf(
  body: Value,
  rows: readonly Var[],
  columns: readonly Var[],
  perWorkgroup: number,
  perLane: number,
  cost: CostModel,
): number {
  let steps = 0;
  const seen = new Set<Value>();
  const go = (v: Value): void => {
    if (seen.has(v) || v.kind === "reduce") return;
    seen.add(v);
    const isShared = !rows.some((x) => v.free.has(x));
    const times = (columns.some((x) => v.free.has(x)) ? 1 : 1 / perLane) * (isShared ? 1 / perWorkgroup : 1);
    // What is shared is stored once more, to where the rows find it.
    steps += (v.kind === "load" && isShared ? 2 : 1) * stepsOfValue(v, cost) * times;
    if (v.kind === "load") return;
    for (const child of childrenOf(v)) go(child);
  };
  go(body);
  return steps;
}
