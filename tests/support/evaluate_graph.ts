/** Runs a graph by the ops' own references, in f64: what a model means, before any of the compiler. */

import { type HostArray, hostArray } from "../../compiler/graph/dtype.ts";
import { elementsOf, type Sizes } from "../../compiler/graph/dim.ts";
import { bindSizes } from "../../compiler/graph/bind.ts";
import { type Graph, inputName } from "../../compiler/graph/graph.ts";
import type { Node, Tensor, TensorType } from "../../compiler/graph/node.ts";
import { verifyGraph } from "../../compiler/graph/verify.ts";
import type { ConcreteType } from "../../compiler/kernel/value.ts";

export interface Evaluated {
  readonly outputs: Readonly<Record<string, HostArray>>;
  /** The states after the run, by path. */
  readonly states: Readonly<Record<string, HostArray>>;
}

export interface EvaluateOptions {
  readonly sizes?: Sizes;
  readonly seed?: number;
  /** Contents of states by path; others start from their initializers. */
  readonly states?: Readonly<Record<string, ArrayLike<number>>>;
}

/** @param feeds Numbers for each input, row-major. */
export function evaluateGraph(
  traced: Graph,
  feeds: Readonly<Record<string, ArrayLike<number>>>,
  { sizes = {}, seed = 0, states = {} }: EvaluateOptions = {},
): Evaluated {
  const graph = bindSizes(traced, sizes);
  verifyGraph(graph, "evaluateGraph");
  const results = new Map<Node, readonly HostArray[]>();
  const put = (t: Tensor, numbers: ArrayLike<number>) => {
    const array = hostArray(t.dtype, elementsOf(t.shape) as number);
    if (numbers.length !== array.length) {
      throw new Error(`${t} needs ${array.length} numbers, not ${numbers.length}`);
    }
    for (let i = 0; i < array.length; i++) array[i] = numbers[i]!;
    results.set(t.node, [array]);
  };
  for (const input of graph.inputs) put(input, feeds[inputName(input)]!);
  for (const { path, tensor, initializer } of graph.states) {
    const shape = tensor.shape as readonly number[];
    put(tensor, states[path] ?? initializer({ shape, dtype: tensor.dtype, seed, path }));
  }
  for (const node of graph.nodes) {
    if (results.has(node)) continue;
    const inputs = node.inputs.map((t) => results.get(t.node)![t.result]!);
    const types = { inputs: node.inputs.map(concrete), outputs: node.types.map(concrete) };
    results.set(node, node.op.reference(inputs, node.attrs, types));
  }
  const valueOf = (t: Tensor) => results.get(t.node)![t.result]!;
  const after = graph.states.map((s) => {
    const write = graph.writes.find((w) => w.state.node === s.tensor.node);
    return [s.path, valueOf(write?.value ?? s.tensor)];
  });
  return {
    outputs: Object.fromEntries(Object.entries(graph.outputs).map(([name, t]) => [name, valueOf(t)])),
    states: Object.fromEntries(after),
  };
}

const concrete = ({ shape, dtype }: TensorType): ConcreteType => ({
  shape: shape as readonly number[],
  dtype,
});
