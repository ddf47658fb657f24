/**
 * May a row kernel store a result over one of its own inputs? (SEMANTICS §3)
 *
 * Every schedule of a row keeps three promises:
 *
 * - an element of a row is visited by the same lane in each pass, whatever the pass unrolls or keeps;
 * - a result is stored in the pass of its height, and within a turn after all that the turn evaluates;
 * - a result with one element per row is stored by one lane, while others may be anywhere in that pass.
 *
 * So it is safe where the input is read at the very element that is stored, by no pass after that one, and, for a result
 * with one element per row, by nothing but such results. Passes are counted with and without merged reductions, since
 * whoever asks cannot know which of the two the target will get.
 */

import { childrenOf, type Value } from "../../kernel/value.ts";
import type { LoweredGroup, Root } from "../group.ts";
import { mergesOf } from "./merge.ts";
import { elementsOf, passesOf } from "./passes.ts";
import { isSpace, type RowRoot, type RowSpace, rowSpace } from "./space.ts";

export type InPlace = { readonly safe: true } | { readonly safe: false; readonly because: string };

/**
 * @param root One of the group's results.
 * @param input The name of the buffer whose memory it would be stored to.
 */
export function rowInPlaceSafe(group: LoweredGroup, root: Root, input: string): InPlace {
  const space = rowSpace(group);
  if (!isSpace(space)) return { safe: false, because: space.refused };
  return overwritesSafely(space, space.roots[group.roots.indexOf(root)]!, input);
}

/** The same of a space's own result, for the passes that the space has. */
export function overwritesSafely(space: RowSpace, own: RowRoot, input: string): InPlace {
  const everything = [...space.roots.map((r) => r.value), ...space.reductions.map((r) => r.body)];
  if (readsOf(everything, input).some((index) => index !== own.index)) {
    return { safe: false, because: "another element of the old contents is read than is stored" };
  }
  const shared = [
    ...space.reductions.map((r) => r.body),
    ...space.roots.filter((r) => r.full).map((r) => r.value),
  ];
  if (!own.full && readsOf(shared, input).length > 0) {
    return { safe: false, because: "other lanes of the row may still read the old contents" };
  }
  for (const merges of [[], mergesOf(space)]) {
    const passes = passesOf(space, merges);
    const stored = passes.findIndex((p) => p.full.includes(own) || p.perRow.includes(own));
    const last = passes.findLastIndex((p) => {
      return readsOf([...elementsOf(p), ...p.perRow.map((r) => r.value)], input).length > 0;
    });
    if (last > stored) {
      return {
        safe: false,
        because: `it is stored in pass ${stored} over the row, and pass ${last} still reads the old contents`,
      };
    }
  }
  return { safe: true };
}

/** The elements at which values themselves read a buffer, and not reductions inside them. */
function readsOf(values: readonly Value[], input: string): Value[] {
  const found: Value[] = [];
  const seen = new Set<Value>();
  const go = (value: Value): void => {
    if (seen.has(value)) return;
    seen.add(value);
    if (value.kind === "load" && value.buffer.name === input) found.push(value.index);
    if (value.kind !== "reduce") childrenOf(value).forEach(go);
  };
  values.forEach(go);
  return found;
}
