/**
 * Several rows per lane, by substitution: row = count · r + p. What depends on no row (γ and β of a layer norm) is then one
 * value in the loop's body, read once for all of them, and nothing else in the schedule knows.
 */

import type { Var } from "../../kernel/value.ts";
import { reductionsIn, replaceEverywhere } from "./canonical.ts";
import { loadsPerElement } from "./passes.ts";
import type { RowSpace } from "./space.ts";

/** What is read for an element of a row: elements that each row has for itself, and such as all rows read. */
export function loadsOf(space: RowSpace): { readonly own: number; readonly common: number } {
  const values = space.reductions.map((r) => r.body).concat(space.roots.map((r) => r.value));
  const loads = loadsPerElement(values, space.row);
  const own = loads.filter((load) => space.outer.some((v) => load.free.has(v))).length;
  return { own, common: loads.length - own };
}

/** Are there elements that all rows read? */
export const rowsShareLoads = (space: RowSpace): boolean => loadsOf(space).common > 0;

/** The space with `count` neighboring rows as one; undefined where the rows don't come in such groups. */
export function interleaveRows(space: RowSpace, count: number): RowSpace | undefined {
  const last = space.outer.at(-1);
  if (!last || last.extent % count !== 0) return undefined;
  const { values: k } = space;
  const group = k.fresh(last.extent / count, [...space.outer, ...space.row]);
  const roots = Array.from({ length: count }, (_, p) => {
    const rename = replaceEverywhere(k, new Map([[last, k.affine([[group, count]], p)]]), space.row);
    return space.roots.map((r) => ({ ...r, value: rename(r.value), index: rename(r.index) }));
  }).flat();
  return {
    ...space,
    outer: [...space.outer.slice(0, -1), group].filter((v): v is Var => v.kind === "var"),
    roots,
    reductions: reductionsIn(roots.map((r) => r.value)),
  };
}
