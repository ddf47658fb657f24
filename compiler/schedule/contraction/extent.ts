/** How large a side of a contraction is, and how well it can be read. */

import { isContiguous } from "../../kernel/stride.ts";
import { type Value, type Var, walk } from "../../kernel/value.ts";

export const extentOf = (vars: readonly Var[]): number => vars.reduce((n, v) => n * v.extent, 1);

/** How many loads of these values are contiguous along a variable. */
export function contiguousLoads(values: readonly Value[], along: Var): number {
  let count = 0;
  walk(values, (value) => {
    if (value.kind === "load" && isContiguous(value.index, along) && value.buffer.size % 4 === 0) count++;
  });
  return count;
}
