/**
 * Several rows per lane, by substitution: what depends on no row (γ and β of a layer norm) is then one value in the loop's
 * body, read once for all of them, and nothing else in the schedule knows.
 *
 *     along rows      row = rows · r + p          p < rows: neighbors in memory follow each other
 *     along columns   column = (h · count + p) · span + s
 *                     a workgroup's lanes (s) lie side by side, and its next span follows: memory is read in longer runs
 */

import type { Value, Var } from "../../kernel/value.ts";
import { reductionsIn, replaceEverywhere } from "./canonical.ts";
import { loadsPerElement } from "./passes.ts";
import type { RowSpace } from "./space.ts";

/** Are there elements that all rows read? */
export const rowsShareLoads = (space: RowSpace): boolean =>
  loadsPerElement(space.reductions.map((r) => r.body).concat(space.roots.map((r) => r.value)), space.row)
    .some((load) => !space.outer.some((v) => load.free.has(v)));

/** The space with `count` neighboring rows as one; undefined where the rows don't come in such groups. */
export function interleaveRows(space: RowSpace, count: number): RowSpace | undefined {
  const last = space.outer.at(-1);
  if (!last || last.extent % count !== 0) return undefined;
  const { values: k } = space;
  const group = k.fresh(last.extent / count, [...space.outer, ...space.row]);
  return copies(
    space,
    [...space.outer.slice(0, -1), group],
    last,
    count,
    (p) => k.affine([[group, count]], p),
  );
}

/** The space with `count` runs of `span` neighboring rows as one. */
export function interleaveColumns(space: RowSpace, count: number, span: number): RowSpace | undefined {
  const last = space.outer.at(-1);
  if (!last || last.extent % (count * span) !== 0) return undefined;
  const { values: k } = space;
  const taken: Value[] = [...space.outer, ...space.row];
  const run = k.fresh(last.extent / (count * span), taken);
  const within = k.fresh(span, [...taken, run]);
  const outer = [...space.outer.slice(0, -1), run, within];
  return copies(space, outer, last, count, (p) => k.affine([[run, count * span], [within, 1]], p * span));
}

function copies(
  space: RowSpace,
  outer: readonly Value[],
  replaced: Var,
  count: number,
  row: (p: number) => Value,
): RowSpace {
  const { values: k } = space;
  const roots = Array.from({ length: count }, (_, p) => {
    const rename = replaceEverywhere(k, new Map([[replaced, row(p)]]), space.row);
    return space.roots.map((r) => ({ ...r, value: rename(r.value), index: rename(r.index) }));
  }).flat();
  return {
    ...space,
    outer: outer.filter((v): v is Var => v.kind === "var"),
    roots,
    reductions: reductionsIn(roots.map((r) => r.value)),
  };
}
