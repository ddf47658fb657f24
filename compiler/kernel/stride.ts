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
