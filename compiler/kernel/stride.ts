/** How neighbors along a variable lie in memory, from the index of what is read or stored. */

import type { Value, Var } from "./value.ts";

/** The distance in memory of neighbors along a variable; undefined where it is not one number. */
export function strideOf(index: Value, along: Var): number | undefined {
  if (index === along) return 1;
  if (!index.free.has(along)) return 0;
  if (index.kind !== "linear") return undefined;
  let stride = 0;
  for (const { atom, coefficient } of index.terms) {
    if (atom === along) stride = coefficient;
    else if (atom.free.has(along)) return undefined;
  }
  return stride;
}

/** Is the element at along + 1 the next one in memory, and the first of four aligned? */
export function isContiguous(index: Value, along: Var): boolean {
  if (index === along) return true;
  if (index.kind !== "linear" || index.constant % 4 !== 0) return false;
  for (const { atom, coefficient } of index.terms) {
    if (atom === along) {
      if (coefficient !== 1) return false;
    } else if (atom.free.has(along) || coefficient % 4 !== 0) return false;
  }
  return index.terms.some((t) => t.atom === along);
}

/** An index as stride · along + offset + multiples of 4, with 0 ≤ offset < stride. */
export interface BlockPlace {
  readonly stride: number;
  readonly offset: number;
  readonly blocks: readonly (readonly [Value, number])[];
}

/**
 * Where neighbors along a variable lie, a few elements apart, in blocks of 4 · stride elements.
 *
 * @param literal The value of a variable that is a number here.
 */
export function placeInBlock(
  index: Value,
  along: Var,
  literal: (value: Value) => number | undefined,
): BlockPlace | undefined {
  if (index.kind !== "linear") return undefined;
  let [stride, offset] = [0, index.constant];
  const blocks: [Value, number][] = [];
  for (const { atom, coefficient } of index.terms) {
    const known = literal(atom);
    if (atom === along) stride = coefficient;
    else if (known !== undefined) offset += coefficient * known;
    else if (!atom.free.has(along) && coefficient % 4 === 0) blocks.push([atom, coefficient]);
    else return undefined;
  }
  return stride >= 2 && offset >= 0 && offset < stride ? { stride, offset, blocks } : undefined;
}
