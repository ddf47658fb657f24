/**
 * Rewriting a graph: every node is made again in a new builder, in order, and a rewriter may put something else in a
 * node's place. The old graph stays as it was.
 *
 * What changes no meaning comes along: source lines, scopes, checkpoints, what is to be fused. An error on the way (a
 * shape that no longer fits) is shown at the line that asked for the node, not at the line that asked for the rewrite.
 */

import { ShapeError, WeftError } from "../errors.ts";
import type { GraphBuilder } from "./build.ts";
import { type Graph, makeGraph, resultsOf } from "./graph.ts";
import type { Node, Tensor } from "./node.ts";

/**
 * The results that take the place of `node`, made of the new forms of its inputs; undefined keeps the node. Op functions
 * called in here build into the new graph.
 */
export type Rewriter = (
  node: Node,
  inputs: readonly Tensor[],
  builder: GraphBuilder,
) => readonly Tensor[] | undefined;

export function rewriteGraph(graph: Graph, rewrite: Rewriter = () => undefined): Graph {
  const builder = graph.builder.successor();
  const made = new Map<Node, readonly Tensor[]>();
  const renewed = (t: Tensor): Tensor => made.get(t.node)![t.result]!;
  builder.use(() => {
    for (const node of graph.nodes) {
      const inputs = node.inputs.map(renewed);
      const results = () =>
        rewrite(node, inputs, builder) ?? resultsOf(builder.node(node.op, inputs, node.attrs));
      made.set(node, blaming(graph, node, () => builder.replacing(node, graph.builder, results)));
    }
  });
  return makeGraph({
    builder,
    inputs: graph.inputs.map(renewed),
    outputs: Object.fromEntries(Object.entries(graph.outputs).map(([name, t]) => [name, renewed(t)])),
    states: graph.states.map((s) => ({ ...s, tensor: renewed(s.tensor) })),
    writes: graph.writes.map((w) => ({ ...w, state: renewed(w.state), value: renewed(w.value) })),
  });
}

/** Errors that `f` throws point at the source line of `node`. */
function blaming<T>(graph: Graph, node: Node, f: () => T): T {
  try {
    return f();
  } catch (error) {
    const origin = graph.builder.originsOf(node)[0];
    if (!(error instanceof WeftError) || !origin) throw error;
    const place = graph.builder.scopes.get(node);
    throw new ShapeError(place ? `${error.what} (in ${place})` : error.what, { origin, cause: error });
  }
}
