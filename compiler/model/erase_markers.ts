/** Takes the markers out of a graph: each has served its purpose once the gradient is taken and the phase is known. */

import { type Graph, makeGraph } from "../graph/graph.ts";
import { rewriteGraph } from "../graph/rewrite.ts";
import { customGradientOp, phaseOp, stopGradientOp } from "../../ops/markers.ts";

/** What a program is for: dropout and batch normalization differ. */
export type Phase = "training" | "inference";

/** Decides every `whenTraining`. Before the gradient: what is not taken must have none. */
export function resolvePhase(graph: Graph, phase: Phase): Graph {
  if (!graph.nodes.some((n) => n.op === phaseOp)) return withoutIdleWrites(graph);
  const resolved = rewriteGraph(graph, (node, [training, inference]) => {
    if (node.op !== phaseOp) return undefined;
    return [phase === "training" ? training! : inference!];
  });
  return withoutIdleWrites(resolved);
}

/** Takes out what only gradients ask for. After the gradient. */
export function eraseMarkers(graph: Graph): Graph {
  const marks = graph.nodes.some((n) => n.op === customGradientOp || n.op === stopGradientOp);
  if (!marks) return withoutIdleWrites(graph);
  return withoutIdleWrites(rewriteGraph(graph, (node, inputs) => {
    if (node.op === stopGradientOp) return [inputs[0]!];
    if (node.op === customGradientOp) return inputs.slice(0, node.attrs.results);
    return undefined;
  }));
}

/** A state that is written with itself is not written. */
function withoutIdleWrites(graph: Graph): Graph {
  const writes = graph.writes.filter((w) => w.state.key !== w.value.key);
  return writes.length === graph.writes.length ? graph : makeGraph({ ...graph, writes });
}
