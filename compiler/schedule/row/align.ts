/**
 * Rows whose length is no multiple of 4 begin anywhere within a vec4. Their elements are then numbered from the vec4 that
 * they begin in: u = j + phase, where the phase is the place of the row's first element within that vec4. So in terms of
 * u every whole vec4 of memory is one, and what is left over at both ends of a row is fewer than four elements each.
 *
 *     x[50257·r + j]    phase = r mod 4        x[50256·r + 4·⌊r/4⌋ + u],   phase ≤ u < phase + 50257
 *
 * What all rows read (γ and β) lies at u − phase, and is read element by element.
 */

import { type Load, type Value, type Var, walk } from "../../kernel/value.ts";
import { strideOf } from "../../kernel/stride.ts";
import { reductionsIn, replaceEverywhere } from "./canonical.ts";
import { rowLength, type RowSpace } from "./space.ts";

/** Rows so short are all ends. */
const shortest = 16;

/** The space with its elements numbered so; undefined where some vec4s are aligned as they are, or no numbering aligns any. */
export function alignRows(space: RowSpace): RowSpace | undefined {
  const { values: k, row, outer, roots } = space;
  const [element] = row;
  if (row.length !== 1 || !element || rowLength(space) < shortest) return undefined;
  const loads: Load[] = [];
  walk(roots.map((r) => r.value), (v) => {
    if (v.kind === "load" && strideOf(v.index, element) === 1) loads.push(v);
  });
  const stored = roots.filter((r) => r.full).map((r) => r.index);
  // What all rows share is small, and says nothing. What is read of a part of the row only (one of several that are
  // joined) has no element where the row goes on: the vec4 at that place may not lie in its buffer, whatever guards it.
  const own = loads.filter(({ index, buffer }) => index.lo >= 0 && index.hi < buffer.size)
    .map((load) => load.index).filter((index) => outer.some((v) => index.free.has(v)));
  const indices = [...stored, ...own];
  const phases = indices.map((index) =>
    strideOf(index, element) === 1 ? phaseOf(space, index, element) : undefined
  );
  const phase = phases[0];
  if (!phase || phase.kind === "const" && phase.value === 0) return undefined;
  if (phases.some((p, i) => i < stored.length ? p !== phase : p?.kind === "const" && p.value === 0)) {
    return undefined;
  }

  const placed = k.fresh(rowLength(space) + 3, [...roots.map((r) => r.value), ...roots.map((r) => r.index)], [
    ...outer,
    ...row,
  ]) as Var;
  const aligned = new Map(
    indices.filter((_, i) => phases[i] === phase).map((index): [Value, Value] => {
      const start = k.substitute(index, new Map([[element, k.int(0)]]));
      return [index, k.affine([[k.idiv(start, 4), 4], [placed, 1]])];
    }),
  );
  const map = new Map<Value, Value>([...aligned, [element, k.affine([[placed, 1], [phase, -1]])]]);
  const rename = replaceEverywhere(k, map, [placed]);
  const renamed = roots.map((r) => ({ ...r, value: rename(r.value), index: rename(r.index) }));
  return {
    ...space,
    row: [placed],
    roots: renamed,
    reductions: reductionsIn(renamed.map((r) => r.value)),
    alignment: { phase, inside: new Set(aligned.values()) },
  };
}

/** Where within a vec4 the row begins; undefined where that depends on more than the row. */
function phaseOf({ values: k }: RowSpace, index: Value, element: Var): Value | undefined {
  const start = k.substitute(index, new Map([[element, k.int(0)]]));
  const { terms, constant } = start.kind === "linear" ? start : { terms: undefined, constant: 0 };
  // Equal phases are to be one value, whatever the strides.
  const short = terms
    ? k.affine(terms.map(({ atom, coefficient }) => [atom, modulo4(coefficient)]), modulo4(constant))
    : start;
  return short.lo >= 0 ? k.imod(short, 4) : undefined;
}

const modulo4 = (x: number): number => ((x % 4) + 4) % 4;
