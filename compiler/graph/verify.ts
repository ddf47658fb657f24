/** Checks the promises a graph makes to the stages behind it. A broken one is a bug of the stage before. */

import { InternalError } from "../errors.ts";
import { sameShape } from "./dim.ts";
import type { Graph } from "./graph.ts";
import { type Node, showType, type Tensor } from "./node.ts";

/** @param stage Who made the graph: it is blamed by name. */
export function verifyGraph(graph: Graph, stage: string): void {
  const fail = (message: string): never => {
    throw new InternalError(stage, message);
  };
  const seen = new Set<Node>();
  const expectSeen = (t: Tensor, who: string) => {
    if (!seen.has(t.node)) fail(`${who} uses ${t}, which is not in the graph before it`);
    if (!t.node.types[t.result]) {
      fail(`${who} uses result ${t.result} of ${t}, which has ${t.node.types.length}`);
    }
  };
  let last = -1;
  for (const node of graph.nodes) {
    const name = `node ${node.id} (${node.op.name})`;
    if (graph.builder.nodes[node.id] !== node) fail(`${name} belongs to another builder`);
    if (node.id <= last) fail(`${name} is out of order`);
    last = node.id;
    for (const input of node.inputs) expectSeen(input, name);
    const inferred = node.op.infer(node.inputs.map(({ shape, dtype }) => ({ shape, dtype })), node.attrs);
    const same = inferred.length === node.types.length &&
      inferred.every((type, i) =>
        type.dtype === node.types[i]!.dtype && sameShape(type.shape, node.types[i]!.shape)
      );
    if (!same) {
      fail(
        `${name} has the types ${node.types.map(showType).join()}, and infer says ${
          inferred.map(showType).join()
        }`,
      );
    }
    seen.add(node);
  }
  for (const input of graph.inputs) expectSeen(input, "the list of inputs");
  for (const [name, output] of Object.entries(graph.outputs)) expectSeen(output, `the output "${name}"`);
  const paths = new Set<string>();
  const declared = new Set<Node>();
  for (const { tensor, path } of graph.states) {
    expectSeen(tensor, `the state "${path}"`);
    if (paths.has(path)) fail(`the state "${path}" is declared twice`);
    paths.add(path);
    declared.add(tensor.node);
  }
  const written = new Set<Node>();
  for (const { state, value } of graph.writes) {
    expectSeen(state, "a write");
    expectSeen(value, `the write of ${state}`);
    if (!declared.has(state.node)) fail(`${state} is written and no state`);
    if (written.has(state.node)) fail(`${state} is written twice`);
    written.add(state.node);
    if (!sameShape(state.shape, value.shape) || state.dtype !== value.dtype) {
      fail(`${state} is written with ${value}`);
    }
  }
}
