/**
 * The updates of a training step, taken apart: what serves one parameter alone has a box of its own. All of them were
 * made in one scope, the optimizer's, and hang together by a few numbers that all of them read.
 * @module
 */

import type { Graph } from "../../../compiler/graph/graph.ts";
import type { Node } from "../../../compiler/graph/node.ts";
import type { Phase } from "./data.ts";

/** State writes that what serves one parameter may lead to: the parameter and what the optimizer remembers of it. */
const mostWrites = 4;

/** The path of boxes for each op of an update; nothing for all other ops. */
export function componentsOf(
  graph: Graph,
  phases: ReadonlyMap<Node, Phase>,
): ReadonlyMap<Node, readonly string[]> {
  const updates = graph.nodes.filter((node) => phases.get(node) === "update");
  /** State writes that a node leads to. */
  const leadsTo = new Map<Node, Set<number>>(updates.map((node) => [node, new Set()]));
  graph.writes.forEach(({ value }, i) => leadsTo.get(value.node)?.add(i));
  for (const node of updates.toReversed()) {
    for (const { node: input } of node.inputs) for (const w of leadsTo.get(node)!) leadsTo.get(input)?.add(w);
  }
  const parent = new Map<Node, Node>();
  const rootOf = (node: Node): Node => {
    let root = node;
    for (let up = parent.get(root); up; up = parent.get(root)) root = up;
    return root;
  };
  const isOwn = (node: Node) => {
    const size = leadsTo.get(node)?.size ?? 0;
    return size > 0 && size <= mostWrites;
  };
  const own = updates.filter(isOwn);
  for (const node of own) {
    for (const { node: input } of node.inputs) {
      const [a, b] = [rootOf(node), rootOf(input)];
      if (isOwn(input) && a !== b) parent.set(a, b);
    }
  }
  const names = new Map<Node, string>();
  for (const { state, value } of graph.writes) {
    if (!isOwn(value.node)) continue;
    const root = rootOf(value.node);
    const { path, role } = state.node.attrs;
    if (role === "parameter" || !names.has(root)) names.set(root, path);
  }
  const scope = (node: Node) => (graph.builder.scopes.get(node) ?? "").split("/")[0]!;
  return new Map(updates.map((node): [Node, string[]] => {
    const name = isOwn(node) ? names.get(rootOf(node)) : undefined;
    return [node, [scope(node), name ?? "for all"].filter((part) => part !== "")];
  }));
}
