/**
 * The loops of a map kernel: which axes there are left, and what is stored at each of their places.
 *
 *     merged        axes merge where no index needs a division for it
 *     one for all   where only that makes vectors of four (rows of 1,025): a division per vector costs less than four
 *                   scalar accesses
 */

import { type BufferRef, type Load, type Value, type Var, walk } from "../kernel/value.ts";
import { type Values } from "../kernel/values.ts";
import { flattenAxes, mergeAxes, type MergedAxes } from "./axes.ts";
import type { Root } from "./group.ts";
import { isContiguous, strideOf } from "../kernel/stride.ts";

export interface MapStore {
  readonly buffer: BufferRef;
  readonly value: Value;
  readonly index: Value;
}

export interface MapLoops {
  /** Outermost first. */
  readonly vars: readonly Var[];
  /** All that is stored at one place of the loops. */
  readonly stores: readonly MapStore[];
}

export function mapLoops(
  k: Values,
  axes: readonly Var[],
  roots: readonly Root[],
): MapLoops {
  const { vars, substitution } = loopAxes(k, axes, roots);
  const stores = roots.map((r): MapStore => ({
    buffer: r.buffer,
    value: k.substitute(r.value, substitution),
    index: k.substitute(r.index, substitution),
  }));
  return { vars, stores };
}

function loopAxes(k: Values, axes: readonly Var[], roots: readonly Root[]): MergedAxes {
  const everything = roots.flatMap((r) => [r.value, r.index]);
  const merged = mergeAxes(k, axes, everything);
  const inner = merged.vars.at(-1);
  if (!inner || merged.vars.length === 1 || inner.extent % 4 === 0) return merged;
  // Lines of memory that neighbors far apart lie in compete for the same places in a cache.
  const { loads, loops } = loadsOf(roots.map((r) => k.substitute(r.value, merged.substitution)));
  const isNear = (load: Load) => [0, 1].includes(strideOf(load.index, inner)!);
  if (loops || inner.extent >= farApart && !loads.every(isNear)) return merged;
  const flat = flattenAxes(k, axes, everything);
  const [all] = flat.vars;
  const isDense = (r: Root) => all && isContiguous(k.substitute(r.index, flat.substitution), all);
  return roots.every(isDense) ? flat : merged;
}

/** Neighbors that are as many of a row are one vector. */
const farApart = 16;

/** What values load, and whether some are loops. */
function loadsOf(values: readonly Value[]): { readonly loads: readonly Load[]; readonly loops: boolean } {
  const loads: Load[] = [];
  let loops = false;
  walk(values, (v) => {
    if (v.kind === "load") loads.push(v);
    if (v.kind === "reduce" || v.kind === "prefix") loops = true;
  });
  return { loads, loops };
}
