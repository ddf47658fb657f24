/**
 * What part of a training step an op belongs to, read off the graph:
 *
 *     forward    outputs depend on it
 *     update     nobody's output depends on it, and it was made in a scope of its own, as an optimizer's are
 *     backward   the rest: a gradient's ops have the scopes of the ops that they are the gradient of
 *
 * A model without a gradient is all forward.
 * @module
 */

import type { Graph } from "../../../compiler/graph/graph.ts";
import type { Node } from "../../../compiler/graph/node.ts";
import type { Phase } from "./data.ts";

/** The phase of each node of a graph. */
export function phasesOf(graph: Graph): ReadonlyMap<Node, Phase> {
  const outermost = (node: Node) => (graph.builder.scopes.get(node) ?? "").split("/")[0]!;
  const forward = new Set<Node>();
  const stack = Object.values(graph.outputs).map((t) => t.node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (forward.has(node)) continue;
    forward.add(node);
    for (const input of node.inputs) stack.push(input.node);
  }
  const scopes = new Set([...forward].map(outermost));
  return new Map(graph.nodes.map((node): [Node, Phase] => {
    if (forward.has(node) || forward.size === 0) return [node, "forward"];
    return [node, scopes.has(outermost(node)) ? "backward" : "update"];
  }));
}
