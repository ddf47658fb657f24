/**
 * Gives every output and every state write a tensor of its own.
 *
 * A result that is an input or a state itself, or that two places ask for, would have to be in two buffers at once.
 * Afterwards each demanded tensor is computed by a node, and is demanded once; `copy` costs a kernel only here.
 */

import { makeGraph } from "../graph/graph.ts";
import type { Graph } from "../graph/graph.ts";
import type { Tensor } from "../graph/node.ts";
import { rewriteGraph } from "../graph/rewrite.ts";
import { copy } from "../../ops/copy.ts";

export function isolateResults(graph: Graph): Graph {
  const fed = (t: Tensor) => t.node.op.name === "input" || t.node.op.name === "state";
  const taken = new Set<string>();
  const clashes = (t: Tensor) => {
    const clash = fed(t) || t.node.op.name === "constant" || taken.has(t.key);
    taken.add(t.key);
    return clash;
  };
  // Writes first: a state's new value is better off in the state's own memory than in an output's.
  const writeClash = graph.writes.map((w) => clashes(w.value));
  const outputClash = Object.fromEntries(
    Object.entries(graph.outputs).map(([name, t]) => [name, clashes(t)]),
  );
  if (!writeClash.some(Boolean) && !Object.values(outputClash).some(Boolean)) return graph;
  const own = rewriteGraph(graph); // a builder of its own, so that the caller's graph stays as it is
  return own.builder.use(() =>
    makeGraph({
      ...own,
      writes: own.writes.map((w, i) =>
        writeClash[i] ? { ...w, value: copy(w.value, `state ${w.state.node.attrs.path}`) } : w
      ),
      outputs: Object.fromEntries(
        Object.entries(own.outputs).map((
          [name, t],
        ) => [name, outputClash[name] ? copy(t, `output ${name}`) : t]),
      ),
    })
  );
}
