/**
 * Many short rows: four of them, one after the other in memory, are a block of as many vec4s as a row has elements. A lane
 * loads the block, has element j of the four rows as one vector by picking components, does all passes without a loop,
 * and stores whole vec4s.
 *
 *     rows of 3      a0 a1 a2 b0 | b1 b2 c0 c1 | c2 d0 d1 d2        element 0: (a0, b0, c0, d0), …
 *
 * Up to three rows are left over at the end; the lane after the last block has them, in loops.
 */

import { isContiguous, placeInBlock } from "../../kernel/stride.ts";
import { type Value, type Var, walk } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import { elementsOf, loadsPerElement, type Pass } from "./passes.ts";
import { powerOfTwo, type RowShape, turnsOf } from "./shape.ts";
import { rowCount, rowLength, type RowSpace } from "./space.ts";

/** The shape for short rows; undefined where rows are long or few, or four of them are no block of memory. */
export function straightShape(
  space: RowSpace,
  passes: readonly Pass[],
  target: Target,
): RowShape | undefined {
  const [rows, length] = [rowCount(space), rowLength(space)];
  const vector = space.outer.at(-1);
  const { lanes, parallel, row, statements } = target;
  if (!vector || length < 2 || length > row.straight) return undefined;
  if (vector.extent % 4 !== 0 && space.outer.length > 1) return undefined;
  const places = Math.floor(rows / 4);
  if (places < lanes.row * parallel) return undefined;
  const elements = passes.flatMap(elementsOf);
  const loads = new Set(loadsPerElement(elements, space.row));
  const full = space.roots.filter((r) => r.full);
  if (length * (loads.size + full.length) > row.straight) return undefined;
  if (length * statementsOf(space, elements) > statements) return undefined;
  if (![...loads].some((load) => isBlock(space, load.index, vector))) return undefined;
  if (!full.every((r) => isBlock(space, r.index, vector))) return undefined;
  if (!space.roots.every((r) => r.full || isContiguous(r.index, vector) && r.buffer.size >= 4)) {
    return undefined;
  }
  const rest = rows % 4;
  const turns = turnsOf(places, length, target);
  const own = Math.min(lanes.row, powerOfTwo(places));
  return {
    along: "columns",
    straight: true,
    width: 4,
    vector,
    lanes: own,
    across: 1,
    places,
    rest,
    turns,
    length,
    item: 1,
    chunks: 1,
    chunk: length,
    groups: Math.ceil((places + Math.sign(rest)) / (own * turns)),
  };
}

/** The rows that are left over, one by one. */
export const restShape = (shape: RowShape): RowShape => ({ ...shape, straight: false, width: 1, rest: 0 });

/** Is the index that of a dense row's element, four rows being a block? */
function isBlock(space: RowSpace, index: Value, vector: Var): boolean {
  const length = rowLength(space);
  for (let j = 0; j < length; j++) {
    const place = placeInBlock(index, vector, (v) => elementOf(space.row, v, j));
    if (!place || place.stride !== length || place.offset !== j) return false;
  }
  return true;
}

/** What a row variable is at an element. */
function elementOf(row: readonly Var[], variable: Value, element: number): number | undefined {
  let rest = element;
  for (const v of row.toReversed()) {
    if (v === variable) return rest % v.extent;
    rest = Math.floor(rest / v.extent);
  }
  return undefined;
}

function statementsOf(space: RowSpace, elements: readonly Value[]): number {
  let count = 0;
  walk(elements, (value) => {
    if (space.row.some((v) => value.free.has(v))) count++;
  });
  return count;
}

/** A result's values at all elements of four rows as they lie in memory, with how far from the first each vec4 lies. */
export function transposed<T>(
  values: readonly T[],
  gather: (parts: readonly [[T, Part], [T, Part], [T, Part], [T, Part]]) => T,
): readonly { readonly value: T; readonly offset: number }[] {
  const length = values.length;
  return values.map((_, q) => {
    const part = (p: number): [T, Part] => {
      const element = 4 * q + p;
      return [values[element % length]!, Math.floor(element / length) as Part];
    };
    return { value: gather([part(0), part(1), part(2), part(3)]), offset: 4 * q };
  });
}

/** Which row of the four. */
type Part = 0 | 1 | 2 | 3;
