/**
 * The boxes that each op is drawn in, outermost first: its scope, made tidy.
 *
 *     no scope        where the last of what it reads is (a residual sum belongs to the layer that it ends)
 *     spread out      a scope that begins before another one and ends after it (a function that all layers call) is no
 *                     place: its ops are where the last of what they read is, in a box of that name
 *     reads nothing   of its phase: where it is read first
 *     updates         by the parameter that they update (`update_parts.ts`)
 * @module
 */

import { isFree, isLeaf } from "../../../compiler/fuse/group.ts";
import { consumersOf, type Graph } from "../../../compiler/graph/graph.ts";
import type { Node } from "../../../compiler/graph/node.ts";
import type { Phase } from "./data.ts";
import { componentsOf } from "./update_parts.ts";

/** The path of boxes of each op of a graph, within its phase. */
export function homesOf(
  graph: Graph,
  phases: ReadonlyMap<Node, Phase>,
): ReadonlyMap<Node, readonly string[]> {
  const scopeOf = (node: Node) =>
    (graph.builder.scopes.get(node) ?? "").split("/").filter((part) => part !== "");
  const spread = spreadScopes(graph, phases, scopeOf);
  const updates = componentsOf(graph, phases);
  const homes = new Map<Node, readonly string[]>();
  const loose = new Set<Node>();
  for (const node of graph.nodes) {
    if (isFree(node)) continue;
    const own = scopeOf(node);
    const isPlace = own.length > 0 && (isLeaf(node) || !spread.has(`${phases.get(node)} ${own[0]}`));
    const around = isPlace ? [] : near(node, phases, homes);
    if (!isPlace && around.length === 0 && !updates.has(node)) loose.add(node);
    homes.set(node, updates.get(node) ?? [...around, ...own]);
  }
  // What reads nothing of its phase lies where it is read first.
  const users = consumersOf(graph);
  for (const node of [...loose].reverse()) {
    const user = users.get(node)?.find((n) =>
      phases.get(n) === phases.get(node) && (homes.get(n)?.length ?? 0) > 0
    );
    if (user) homes.set(node, [...homes.get(user)!.slice(0, 1), ...homes.get(node)!]);
  }
  return homes;
}

/** The outermost box of the last op that a node reads, of those in its phase. */
function near(
  node: Node,
  phases: ReadonlyMap<Node, Phase>,
  homes: ReadonlyMap<Node, readonly string[]>,
): readonly string[] {
  let last: Node | undefined;
  for (const { node: input } of node.inputs) {
    if (isLeaf(input) || !homes.has(input) || phases.get(input) !== phases.get(node)) continue;
    if (!last || input.id > last.id) last = input;
  }
  return last ? homes.get(last)!.slice(0, 1) : [];
}

/** `forward attention`: outermost scopes that enclose another one in the order of the graph. */
function spreadScopes(
  graph: Graph,
  phases: ReadonlyMap<Node, Phase>,
  scopeOf: (node: Node) => readonly string[],
): ReadonlySet<string> {
  const spans = new Map<string, { readonly phase: Phase; readonly begin: number; end: number }>();
  graph.nodes.forEach((node, i) => {
    const [scope] = scopeOf(node);
    if (scope === undefined || isFree(node) || isLeaf(node)) return;
    const phase = phases.get(node)!;
    const span = spans.get(`${phase} ${scope}`);
    if (span) span.end = i;
    else spans.set(`${phase} ${scope}`, { phase, begin: i, end: i });
  });
  const all = [...spans];
  return new Set(
    all.filter(([, s]) =>
      all.some(([, t]) => t !== s && t.phase === s.phase && s.begin < t.begin && t.end < s.end)
    ).map(([key]) => key),
  );
}
