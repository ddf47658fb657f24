/**
 * Which output axes belong to which side of a contraction, read off free variables (SCHEDULES §6.1).
 *
 * Two axes *meet* where one load has both. Axes that connect everything are batch: taking them away leaves components
 * that never meet, and the two largest are the rows and the columns. No pattern of a product is looked for, so a squared
 * distance, a one-hot select or max-plus have sides just as a matmul does: A is what misses the columns, B what misses
 * the rows, and whatever stays above both combines them.
 */

import { childrenOf, type Value, type Var } from "../../kernel/value.ts";
import type { Refusal } from "../group.ts";

export interface Classes {
  readonly batch: readonly Var[];
  readonly rows: readonly Var[];
  /** At least one axis; `rows` is empty in a matrix–vector product. */
  readonly columns: readonly Var[];
}

const extentOf = (vars: readonly Var[]): number => vars.reduce((n, v) => n * v.extent, 1);

/** What the body reads, each as the set of its variables: loads, nested reductions, and bare indices. */
function leavesOf(body: Value): ReadonlySet<Var>[] {
  const leaves: ReadonlySet<Var>[] = [];
  const seen = new Set<Value>();
  const go = (value: Value): void => {
    if (seen.has(value)) return;
    seen.add(value);
    if (value.kind === "var") leaves.push(new Set([value]));
    else if (value.kind === "load" || value.kind === "reduce" || value.kind === "prefix") {
      leaves.push(value.free);
    } else for (const child of childrenOf(value)) go(child);
  };
  go(body);
  return leaves;
}

/** Connected components of the axes that meet, largest first. */
function components(axes: readonly Var[], leaves: readonly ReadonlySet<Var>[]): Var[][] {
  let groups = axes.map((v) => [v]);
  for (const leaf of leaves) {
    const met = groups.filter((g) => g.some((v) => leaf.has(v)));
    if (met.length > 1) groups = [...groups.filter((g) => !met.includes(g)), met.flat()];
  }
  return groups.sort((a, b) => extentOf(b) - extentOf(a));
}

/** Every subset of a few axes, those of the smallest extent first. */
function subsets(axes: readonly Var[]): Var[][] {
  const all = Array.from({ length: 2 ** axes.length }, (_, bits) => axes.filter((_, i) => bits & (1 << i)));
  return all.sort((a, b) => extentOf(a) - extentOf(b) || a.length - b.length);
}

/** Sorts the axes of an output by the side of the reduction's body that they index. */
export function classify(body: Value, axes: readonly Var[], reduced: readonly Var[]): Classes | Refusal {
  const leaves = leavesOf(body);
  const missing = axes.filter((v) => !leaves.some((leaf) => leaf.has(v)));
  if (missing.length > 0) {
    return {
      refused: `the sum has no axis of ${missing.map((v) => v.extent)}: it would be repeated that many times`,
    };
  }
  if (axes.length > 8) return { refused: `${axes.length} output axes that do not merge` };
  const ordered = (vars: readonly Var[]) => axes.filter((v) => vars.includes(v));
  for (const batch of subsets(axes)) {
    const rest = axes.filter((v) => !batch.includes(v));
    const [rows, columns, ...others] = components(rest, leaves);
    if (!rows || !columns) continue;
    return { batch: ordered([...batch, ...others.flat()]), rows: ordered(rows), columns: ordered(columns) };
  }
  // One side only: a matrix–vector product, if something that is summed over knows no axis of the other side.
  const summed = leaves.filter((leaf) => reduced.some((v) => leaf.has(v)));
  const batch = axes.filter((v) => summed.every((leaf) => leaf.has(v)));
  const columns = axes.filter((v) => !batch.includes(v));
  if (columns.length === 0) {
    const terms = extentOf(reduced);
    return {
      refused: `all ${summed.length} operands of the sum over ${terms} terms have the same output axes`,
    };
  }
  return { batch, rows: [], columns };
}

/** The maximal sub-values of the body that miss the columns (a) or else the rows (b). */
export function cutSides(
  body: Value,
  { rows, columns }: Classes,
): { a: readonly Value[]; b: readonly Value[] } {
  const a: Value[] = [];
  const b: Value[] = [];
  const seen = new Set<Value>();
  const go = (value: Value): void => {
    if (value.kind === "const" || seen.has(value)) return;
    seen.add(value);
    if (!columns.some((v) => value.free.has(v))) a.push(value);
    else if (!rows.some((v) => value.free.has(v))) b.push(value);
    else for (const child of childrenOf(value)) go(child);
  };
  go(body);
  return { a, b };
}
