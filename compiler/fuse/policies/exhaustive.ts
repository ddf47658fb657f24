/**
 * The exhaustive policy: of all partitions of a small graph into legal parts, the one that the cost model likes best. It
 * is what other policies are measured against.
 *
 * A partition can run if and only if its parts can be put one after the other so that every beginning of that sequence
 * is closed under "what it reads": an *ideal*. So the best partition of an ideal is, over all last parts, the best
 * partition of what is left, plus the cost of the part: dynamic programming over ideals, in which convexity and the
 * absence of cycles come for free. Parts are connected through shared memory and compute nothing twice; the cost of each
 * is looked up once.
 */

import { Candidates, type Part } from "../candidates.ts";
import type { Cover } from "../group.ts";
import type { Graph } from "../../graph/graph.ts";
import { CompileError } from "../../errors.ts";
import type { FusionOptions } from "../policy.ts";

/** Atoms of the largest graph that is searched: 4,096 ideals at most. */
export const mostAtoms = 12;

/** One way to cut the graph into parts. */
export interface Partition {
  readonly parts: readonly Part[];
  readonly ms: number;
}

/** @throws CompileError where the graph is too large for it. */
export function exhaustive(graph: Graph, options: FusionOptions): Cover {
  const candidates = new Candidates(graph, options);
  return candidates.cover(bestPartitions(candidates, 1)[0]!.parts);
}

/**
 * The best partitions by the model, the best first; fewer where there are not as many.
 *
 * @throws CompileError where the graph has more than `mostAtoms` ops.
 */
export function bestPartitions(candidates: Candidates, count: number): readonly Partition[] {
  const { atoms, producers, neighbors } = candidates;
  const n = atoms.length;
  if (n > mostAtoms) {
    throw new CompileError(
      `the policy "exhaustive" tries all partitions and takes graphs of ${mostAtoms} ops at most; this one has ${n} ` +
        '(views and constants not counted). Use the policy "search".',
    );
  }
  const maskOf = (set: Iterable<number>) => [...set].reduce((mask, i) => mask | 1 << i, 0);
  const [needs, near] = [producers.map(maskOf), neighbors.map(maskOf)];
  const indices = (mask: number): Part => atoms.flatMap((_, i) => mask >> i & 1 ? [i] : []);

  const costs = new Map<number, number>();
  /** Infinity where the part is not connected or not legal. */
  const costOf = (mask: number): number => {
    let ms = costs.get(mask);
    if (ms === undefined) {
      const part = indices(mask);
      const ok = isConnected(mask, near) && candidates.refusal(part) === undefined;
      costs.set(mask, ms = ok ? candidates.ms(part) : Infinity);
    }
    return ms;
  };
  const isIdeal = (mask: number) => needs.every((need, i) => !(mask >> i & 1) || (need & ~mask) === 0);

  /** The best of each ideal; an ideal is a larger number than those inside it. */
  const best = new Map<number, readonly Found[]>([[0, [{ masks: [], ms: 0 }]]]);
  const all = 2 ** n - 1;
  for (let ideal = 1; ideal <= all; ideal++) {
    if (!isIdeal(ideal)) continue;
    const found: Found[] = [];
    for (let part = ideal; part > 0; part = part - 1 & ideal) {
      const rest = best.get(ideal & ~part);
      if (!rest) continue;
      const ms = costOf(part);
      if (ms === Infinity) continue;
      for (const before of rest) found.push({ masks: [...before.masks, part], ms: before.ms + ms });
    }
    best.set(ideal, distinct(found, count));
  }
  return best.get(all)!.map(({ masks, ms }) => ({ parts: masks.map(indices), ms }));
}

interface Found {
  readonly masks: readonly number[];
  readonly ms: number;
}

/** The cheapest few; the same parts in another order are the same partition. */
function distinct(found: Found[], count: number): readonly Found[] {
  const seen = new Set<string>();
  const kept: Found[] = [];
  for (const one of found.sort((a, b) => a.ms - b.ms)) {
    if (kept.length === count) break;
    const key = one.masks.toSorted((a, b) => a - b).join();
    if (seen.has(key)) continue;
    seen.add(key);
    kept.push(one);
  }
  return kept;
}

function isConnected(mask: number, near: readonly number[]): boolean {
  let reached = mask & -mask;
  for (;;) {
    const more = near.reduce((all, set, i) => reached >> i & 1 ? all | set & mask : all, reached);
    if (more === reached) return reached === mask;
    reached = more;
  }
}
