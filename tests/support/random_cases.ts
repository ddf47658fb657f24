/**
 * Random graphs with numbers to run them on, and what must come out.
 * @module
 */

import type { HostArray } from "../../compiler/graph/dtype.ts";
import { inputName } from "../../compiler/graph/graph.ts";
import type { Node } from "../../compiler/graph/node.ts";
import { printGraph } from "../../compiler/graph/print.ts";
import { expectations, type SampleCase } from "./compile_samples.ts";
import { draw } from "../../runtime/check_op/sample_graph.ts";
import { randomOf } from "./random.ts";
import { randomGraph, type Tape } from "./random_graphs.ts";

/** The case of a tape; its text is the graph. */
export function randomCase(tape: Tape): SampleCase {
  const graph = randomGraph(tape);
  const random = randomOf(tape.steps.length);
  const feeds = new Map<Node, HostArray>();
  const contents = (tensors: readonly { readonly node: Node; readonly shape: readonly unknown[] }[]) =>
    tensors.map(({ node, shape }) => {
      feeds.set(node, draw({ shape: shape as readonly number[] }, random));
      return feeds.get(node)!;
    });
  const inputs = contents(graph.inputs);
  const states = contents(graph.states.map(({ tensor }) => tensor));
  const wanted = new Map([
    ...Object.entries(graph.outputs),
    ...graph.writes.map(({ state, value }) => [`state:${state.node.attrs.path}`, value] as const),
  ]);
  return {
    op: "random graph",
    text: `\n${printGraph(graph)}`,
    graph,
    feeds: Object.fromEntries(graph.inputs.map((t, i) => [inputName(t), inputs[i]!])),
    states: Object.fromEntries(graph.states.map(({ path }, i) => [path, states[i]!])),
    ...expectations(wanted, feeds),
  };
}
