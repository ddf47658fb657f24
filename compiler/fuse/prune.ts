/**
 * Leaves out what a cover stores and nobody reads any more, and what was only computed for that: when groups are merged or
 * split, a reader may come to compute for itself, or find elsewhere, what it used to load.
 */

import type { Node, Tensor } from "../graph/node.ts";
import { type Group, isProgramNode, loadsOf } from "./group.ts";

/**
 * @param wanted What must be in memory at the end, read or not.
 * @param loads What a group loads, for whoever remembers it.
 */
export function pruned(
  groups: readonly Group[],
  wanted: ReadonlySet<string>,
  loads: (group: Group) => readonly Tensor[] = loadsOf,
): readonly Group[] {
  const read = new Set<string>();
  for (const g of groups) for (const t of loads(g)) read.add(t.key);
  let changed = false;
  const kept = groups.flatMap((group) => {
    const used = group.roots.filter((t) => wanted.has(t.key) || read.has(t.key));
    // A program stores all of its results or none.
    const roots = used.length > 0 && isProgramNode(group.roots[0]!.node) ? group.roots : used;
    if (roots.length === group.roots.length) return [group];
    changed = true;
    return roots.length === 0 ? [] : [{ ...group, roots, nodes: neededFor(roots, group.nodes) }];
  });
  // What is left out has read something in its turn.
  return changed ? pruned(kept, wanted, loads) : groups;
}

function neededFor(roots: Group["roots"], nodes: ReadonlySet<Node>): ReadonlySet<Node> {
  const needed = new Set<Node>();
  const stack = roots.map((t) => t.node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (needed.has(node) || !nodes.has(node)) continue;
    needed.add(node);
    stack.push(...node.inputs.map((t) => t.node));
  }
  return new Set([...nodes].filter((node) => needed.has(node)));
}
