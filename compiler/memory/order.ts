/**
 * The order in which groups run: producers first, and every reader of a state's old contents before the group that
 * overwrites them (SEMANTICS §2).
 */

import type { Group } from "../fuse/group.ts";
import { loadsOf } from "../fuse/group.ts";
import type { Join } from "./join.ts";

/** For each group, the groups that must run before it. */
export type Edges = ReadonlyMap<Group, ReadonlySet<Group>>;

/** Producers of what each group loads; of a joined tensor, the producers of its parts. */
export function dataEdges(groups: readonly Group[], joins: readonly Join[] = []): Map<Group, Set<Group>> {
  const home = new Map<string, Group>();
  for (const g of groups) for (const root of g.roots) home.set(root.key, g);
  const parts = new Map(joins.map((j) => [j.result.key, j.parts.map((p) => p.tensor.key)]));
  const producers = (key: string): Group[] => {
    const own = home.get(key);
    return own ? [own] : (parts.get(key) ?? []).flatMap(producers);
  };
  return new Map(groups.map((g) => [
    g,
    new Set(loadsOf(g).flatMap((t) => producers(t.key)).filter((p) => p !== g)),
  ]));
}

/** Must `a` run before `b`, directly or not? */
export function precedes(a: Group, b: Group, edges: Edges): boolean {
  const seen = new Set<Group>();
  const stack = [b];
  for (let g = stack.pop(); g; g = stack.pop()) {
    for (const before of edges.get(g) ?? []) {
      if (before === a) return true;
      if (!seen.has(before)) {
        seen.add(before);
        stack.push(before);
      }
    }
  }
  return false;
}

/**
 * A topological order that follows the graph's: of the groups that may run, the one whose first result comes first in
 * the graph. Models are written in the order in which values are used, so buffers die early.
 */
export function topological(groups: readonly Group[], edges: Edges): Group[] {
  const rank = new Map(groups.map((g) => [g, g.roots.reduce((n, t) => Math.max(n, t.node.id), 0)]));
  const done = new Set<Group>();
  const out: Group[] = [];
  const visit = (g: Group): void => {
    if (done.has(g)) return;
    done.add(g);
    const before = [...edges.get(g) ?? []].sort((a, b) => rank.get(a)! - rank.get(b)!);
    for (const b of before) visit(b);
    out.push(g);
  };
  for (const g of [...groups].sort((a, b) => rank.get(a)! - rank.get(b)!)) visit(g);
  return out;
}
