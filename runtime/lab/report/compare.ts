/**
 * Two compiles of one model: which op of the one is which of the other.
 *
 * Both begin with the same traced graph, and each op knows which of its nodes it stands for; so neither sizes nor types
 * need to agree. Of several that stand for one node the first goes with the first.
 * @module
 */

import type { CompileView } from "./data.ts";

/** For each op of `a`'s final graph its number in `b`'s, or -1. */
export function matchOps(a: CompileView, b: CompileView): readonly number[] {
  const theirs = new Map<string, number>();
  for (const [number, key] of keysOf(b).entries()) theirs.set(key, number);
  return keysOf(a).map((key) => theirs.get(key) ?? -1);
}

function keysOf({ stages, ops }: CompileView): readonly string[] {
  const met = new Map<string, number>();
  return stages.at(-1)!.nodes.map((index) => {
    const { id, op } = ops[index]!;
    const key = `${id} ${op}`;
    const n = met.get(key) ?? 0;
    met.set(key, n + 1);
    return `${key} ${n}`;
  });
}
