/**
 * What part of a training step an op belongs to, read off the graph:
 *
 *     forward    outputs depend on it, or it is fed
 *     backward   an update depends on it, and it has the scope of forward ops: a gradient's ops have those of the ops that
 *                they are the gradient of
 *     update     the rest: what an optimizer computes, in a scope of its own, and whatever else only states are written for
 *
 * A model that writes no state is all forward.
 * @module
 */

import type { Graph } from "../../../compiler/graph/graph.ts";
import type { Node } from "../../../compiler/graph/node.ts";
import type { Phase } from "./data.ts";

/** The phase of each node of a graph. */
export function phasesOf(graph: Graph): ReadonlyMap<Node, Phase> {
  const outermost = (node: Node) => (graph.builder.scopes.get(node) ?? "").split("/")[0]!;
  const forward = new Set<Node>();
  // What is fed is there before anything else, used or not.
  const stack = [...Object.values(graph.outputs), ...graph.inputs].map((t) => t.node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (forward.has(node)) continue;
    forward.add(node);
    for (const input of node.inputs) stack.push(input.node);
  }
  const scopes = new Set([...forward].map(outermost));
  const phases = new Map<Node, Phase>();
  /** What updates depend on. */
  const needed = new Set<Node>();
  for (const node of graph.nodes.toReversed()) {
    const isUpdate = !forward.has(node) && (!scopes.has(outermost(node)) || !needed.has(node));
    phases.set(node, forward.has(node) ? "forward" : isUpdate ? "update" : "backward");
    if (!forward.has(node) && (needed.has(node) || !scopes.has(outermost(node)))) {
      for (const input of node.inputs) needed.add(input.node);
    }
  }
  return phases;
}
