/** Runs a model's graph once by the ops' own references, in f64: what it means, before any of the compiler. */

import { type HostArray, hostArray } from "../../compiler/graph/dtype.ts";
import { elementsOf, type Sizes } from "../../compiler/graph/dim.ts";
import { bindSizes } from "../../compiler/graph/bind.ts";
import { type Graph, inputName } from "../../compiler/graph/graph.ts";
import type { Node, Tensor } from "../../compiler/graph/node.ts";
import { verifyGraph } from "../../compiler/graph/verify.ts";
import { evaluateGraph } from "./evaluate.ts";

export interface RunResult {
  readonly outputs: Readonly<Record<string, HostArray>>;
  /** The states after the run, by path. */
  readonly states: Readonly<Record<string, HostArray>>;
}

export interface RunOptions {
  readonly sizes?: Sizes;
  readonly seed?: number;
  /** Contents of states by path; others start from their initializers. */
  readonly states?: Readonly<Record<string, ArrayLike<number>>>;
}

/** @param feeds Numbers for each input, row-major. */
export function runByReference(
  traced: Graph,
  feeds: Readonly<Record<string, ArrayLike<number>>>,
  { sizes = {}, seed = 0, states = {} }: RunOptions = {},
): RunResult {
  const graph = bindSizes(traced, sizes);
  verifyGraph(graph, "runByReference");
  const known = new Map<Node, HostArray>();
  for (const input of graph.inputs) known.set(input.node, filled(input, feeds[inputName(input)]!));
  for (const { path, tensor, initializer } of graph.states) {
    const shape = tensor.shape as readonly number[];
    known.set(
      tensor.node,
      filled(tensor, states[path] ?? initializer({ shape, dtype: tensor.dtype, seed, path })),
    );
  }
  const after = graph.states.map(({ tensor }) =>
    graph.writes.find((w) => w.state.node === tensor.node)?.value ?? tensor
  );
  const outputs = Object.values(graph.outputs);
  const results = evaluateGraph([...outputs, ...after], known);
  return {
    outputs: Object.fromEntries(Object.keys(graph.outputs).map((name, i) => [name, results[i]!])),
    states: Object.fromEntries(graph.states.map((s, i) => [s.path, results[outputs.length + i]!])),
  };
}

function filled(t: Tensor, numbers: ArrayLike<number>): HostArray {
  const array = hostArray(t.dtype, elementsOf(t.shape) as number);
  if (numbers.length !== array.length) {
    throw new Error(`${t} needs ${array.length} numbers, not ${numbers.length}`);
  }
  for (let i = 0; i < array.length; i++) array[i] = numbers[i]!;
  return array;
}
