/** A program of the set at its small sizes, with what the references of its ops make of it in f64. */

import { type HostArray, hostArray } from "../../../compiler/graph/dtype.ts";
import type { Node } from "../../../compiler/graph/node.ts";
import { expectations, type SampleCase } from "../../support/compile_samples.ts";
import type { FusionProgram } from "./program.ts";

/** @throws where nothing could be said of a result: such a program would be checked by nobody. */
export function sampleOf(program: FusionProgram): SampleCase {
  const { graph } = program.model(program.small);
  const feeds = new Map<Node, HostArray>();
  const states: Record<string, HostArray> = {};
  for (const { path, tensor: { node, shape, dtype }, initializer } of graph.states) {
    const given = initializer({ shape: shape as readonly number[], dtype, seed: 0, path });
    const contents = hostArray(dtype, given.length);
    contents.set(given);
    states[path] = contents;
    feeds.set(node, contents);
  }
  const wanted = new Map([
    ...Object.entries(graph.outputs),
    ...graph.writes.map(({ state, value }) => [`state:${state.node.attrs.path}`, value] as const),
  ]);
  const known = expectations(wanted, feeds);
  for (const [name, { dropped }] of Object.entries(known.expected)) {
    if (dropped) throw new Error(`${program.name}: nothing can be said of ${name}: ${dropped}`);
  }
  return { op: "fusion set", text: program.name, graph, feeds: {}, states, ...known };
}
