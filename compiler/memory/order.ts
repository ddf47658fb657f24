/**
 * The order in which groups run: producers first, and every reader of a state's old contents before the group that
 * overwrites them (SEMANTICS §2).
 */

import type { Group } from "../fuse/group.ts";
import { loadsOf } from "../fuse/group.ts";
import type { Tensor } from "../graph/node.ts";
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
 * For groups in an order in which they can run, those that must stay before each: what one of two stores, the other loads
 * or stores too, in the same buffer.
 */
export function conflicts(order: readonly Group[], bufferOf: (tensor: Tensor) => string): Edges {
  const writers = new Map<string, Group[]>();
  const readers = new Map<string, Group[]>();
  const edges = new Map<Group, ReadonlySet<Group>>();
  const note = (map: Map<string, Group[]>, name: string, group: Group) => {
    const list = map.get(name);
    if (list) list.push(group);
    else map.set(name, [group]);
  };
  for (const group of order) {
    const [loads, stores] = [loadsOf(group), group.roots].map((list) => new Set(list.map(bufferOf)));
    edges.set(
      group,
      new Set([
        ...[...loads!, ...stores!].flatMap((name) => writers.get(name) ?? []),
        ...[...stores!].flatMap((name) => readers.get(name) ?? []),
      ]),
    );
    for (const name of loads!) note(readers, name, group);
    for (const name of stores!) note(writers, name, group);
  }
  return edges;
}

/**
 * An order of units, each of one group or of several that run as one, in which all that must come before a unit does;
 * otherwise as they are listed. Undefined where some would have to run before themselves.
 */
export function orderUnits(
  units: readonly (readonly Group[])[],
  edges: Edges,
): readonly (readonly Group[])[] | undefined {
  const home = new Map(units.flatMap((unit) => unit.map((g) => [g, unit])));
  const state = new Map<readonly Group[], "begun" | "done">();
  const out: (readonly Group[])[] = [];
  const visit = (unit: readonly Group[]): boolean => {
    if (state.has(unit)) return state.get(unit) === "done";
    state.set(unit, "begun");
    for (const g of unit) {
      for (const before of edges.get(g)!) {
        const other = home.get(before)!;
        if (other === unit || !visit(other)) return false;
      }
    }
    state.set(unit, "done");
    out.push(unit);
    return true;
  };
  return units.every(visit) ? out : undefined;
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
