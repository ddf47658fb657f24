/**
 * Ops of more operands than one kernel may bind, cut into several: a concat of twelve tensors is, on a device that binds
 * eight buffers, a concat of one of seven and one of five.
 *
 * It is done before fusion, as a function of the graph and the limit alone, so that a locked cover meets the same graph
 * again. Left whole is what needs no kernel in any case: where all operands are results of reductions or programs that
 * nobody else reads, they are born inside the result (`memory/join.ts`), and no policy computes them in its place.
 */

import { apply } from "../graph/build.ts";
import { consumersOf, demanded, type Graph } from "../graph/graph.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { rewriteGraph } from "../graph/rewrite.ts";
import { isLeaf, isProgramNode } from "./group.ts";

/** What a view is of; the tensor itself where it is none. */
function seenThrough(t: Tensor): Tensor {
  let at = t;
  while (at.node.op.view) at = at.node.inputs[0]!;
  return at;
}

/** The nodes that one kernel could not bind: associative ones of so many operands. */
export function overfullNodes(graph: Graph, storageBuffers: number): ReadonlySet<Node> {
  const found = graph.nodes.filter(({ op, inputs }) =>
    op.associative && inputs.length >= storageBuffers &&
    new Set(inputs.map((t) => seenThrough(t).key)).size >= storageBuffers
  );
  if (found.length === 0) return new Set();
  const users = consumersOf(graph);
  const wanted = demanded(graph);
  /** Is it stored whatever a policy says, and wherever this reader wants it? */
  const isPlaced = (t: Tensor): boolean => {
    for (let at = t; at.node.op.view; at = at.node.inputs[0]!) {
      if (wanted.has(at.key) || users.get(at.node)?.length !== 1) return false;
    }
    const { node, key } = seenThrough(t);
    if (isLeaf(node) || wanted.has(key) || users.get(node)?.length !== 1) return false;
    return isProgramNode(node) || node.op.terms !== undefined;
  };
  return new Set(
    found.filter(({ inputs }) =>
      !(inputs.every(isPlaced) && new Set(inputs.map((t) => t.key)).size === inputs.length)
    ),
  );
}

/** The graph with these nodes as trees whose nodes have fewer operands than there are buffers. */
export function cutOperands(graph: Graph, nodes: ReadonlySet<Node>, storageBuffers: number): Graph {
  const most = Math.max(2, storageBuffers - 1);
  return rewriteGraph(graph, (node, inputs) => {
    if (!nodes.has(node)) return undefined;
    let operands = inputs;
    while (operands.length > most) {
      const parts: Tensor[] = [];
      for (let at = 0; at < operands.length; at += most) {
        const part = operands.slice(at, at + most);
        parts.push(part.length === 1 ? part[0]! : apply(node.op, part, node.attrs));
      }
      operands = parts;
    }
    return [apply(node.op, operands, node.attrs)];
  });
}
