/**
 * Columns whose number is no multiple of 4: the last vector of them has some that are not there. What it reads for those is
 * whatever lies nearby (loads stay inside their buffers by themselves, lower.ts), and it is not stored.
 *
 * Four columns at once are four scalar loads then, but one turn of the loop.
 */

import { type Value, type Var, walk } from "../../kernel/value.ts";
import { strideOf } from "../../kernel/stride.ts";
import { reductionsIn, replaceEverywhere } from "./canonical.ts";
import type { RowSpace } from "./space.ts";

/** Columns that may be computed for nothing, in parts of those that there are. */
const affordable = 1 / 16;

/** The space with so many columns as there are in whole vectors; undefined where nothing is missing or too much. */
export function padColumns(space: RowSpace): RowSpace | undefined {
  const { values: k, outer, row, roots } = space;
  const last = outer.at(-1);
  const missing = last ? (4 - last.extent % 4) % 4 : 0;
  if (!last || missing === 0 || missing > last.extent * affordable) return undefined;
  // A result within the row would be stored in the loop, with four conditions for each vector.
  if (roots.some((r) => r.full || strideOf(r.index, last) === undefined)) return undefined;
  const taken: Value[] = [...outer, ...row];
  walk(roots.flatMap((r) => [r.value, r.index]), (v) => {
    if (v.kind === "var") taken.push(v);
    if (v.kind === "reduce") taken.push(...v.vars);
  });
  const padded = k.fresh(last.extent + missing, taken) as Var;
  const rename = replaceEverywhere(k, new Map([[last, padded]]), row);
  const renamed = roots.map((r) => ({ ...r, value: rename(r.value), index: rename(r.index) }));
  return {
    ...space,
    outer: [...outer.slice(0, -1), padded],
    roots: renamed,
    reductions: reductionsIn(renamed.map((r) => r.value)),
    columns: last.extent,
  };
}
