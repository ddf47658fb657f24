import type { Graph } from "../graph/graph.ts";
import { rewriteGraph } from "../graph/rewrite.ts";

/** Composites (attention and its gradient) in plain ops: the definition that each op states of itself. */
export function expandComposites(graph: Graph): Graph {
  return rewriteGraph(graph, ({ op, attrs }, inputs) => op.expand?.(inputs, attrs));
}
