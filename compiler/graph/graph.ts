/**
 * A graph as the compiler's stages see it: what is fed, what is returned, what stays on the device, and the nodes
 * between. The builder behind it may hold more nodes (other outputs, a gradient nobody asked for); `nodes` is exactly
 * what this graph needs.
 *
 * Invariants, held by `verifyGraph`: `nodes` is in topological order (ids ascend); every input of a node is in it; a
 * state has one declaration and at most one write, of its own type.
 */

import type { CapturedOrigin } from "../errors.ts";
import type { GraphBuilder } from "./build.ts";
import type { DType, StoredArray } from "./dtype.ts";
import { type Node, Tensor } from "./node.ts";

/** What an initializer is told. Equal seed and path give equal numbers on every machine (SEMANTICS §9). */
export interface InitializerSite {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly seed: number;
  readonly path: string;
}

/** The first contents of a state, row-major, made on the host. */
export type Initializer = (site: InitializerSite) => StoredArray;

/** Optimizers see parameters only. */
export type StateRole = "parameter" | "state";

/** A tensor that lives on the device between runs. Its path is its key in a checkpoint. */
export interface StateDecl {
  readonly tensor: Tensor;
  readonly path: string;
  readonly role: StateRole;
  readonly initializer: Initializer;
  readonly origin: CapturedOrigin | undefined;
}

/** At the end of a run the state holds `value`; every read in that run saw the old contents (SEMANTICS §2). */
export interface StateWrite {
  readonly state: Tensor;
  readonly value: Tensor;
  readonly origin: CapturedOrigin | undefined;
}

export interface Graph {
  readonly builder: GraphBuilder;
  /** What outputs and writes need, and all inputs, in topological order. */
  readonly nodes: readonly Node[];
  /** All inputs of the model in order of declaration, used or not; the name is `inputName(tensor)`. */
  readonly inputs: readonly Tensor[];
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** The states that `nodes` reads or `writes` writes, in order of declaration. */
  readonly states: readonly StateDecl[];
  readonly writes: readonly StateWrite[];
}

/** The name a run feeds this input by. */
export const inputName = (input: Tensor): string => input.node.attrs.name;

/** Completes a graph: finds the nodes that are needed and leaves out the states that are not. */
export function makeGraph(parts: Omit<Graph, "nodes">): Graph {
  const needed = new Set<Node>(parts.inputs.map((t) => t.node));
  const roots = [...Object.values(parts.outputs), ...parts.writes.flatMap((w) => [w.state, w.value])];
  const stack = roots.map((t) => t.node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (needed.has(node)) continue;
    needed.add(node);
    for (const input of node.inputs) stack.push(input.node);
  }
  return {
    ...parts,
    nodes: [...needed].sort((a, b) => a.id - b.id),
    states: parts.states.filter((s) => needed.has(s.tensor.node)),
  };
}

/** All results of a node. */
export const resultsOf = (node: Node): readonly Tensor[] => node.types.map((_, i) => new Tensor(node, i));

/** What a graph must have in memory at the end: outputs and the new contents of states. */
export function demanded(graph: Graph): ReadonlySet<string> {
  return new Set([...Object.values(graph.outputs), ...graph.writes.map((w) => w.value)].map((t) => t.key));
}

/** Users of each node, in graph order. */
export function consumersOf(graph: Graph): ReadonlyMap<Node, readonly Node[]> {
  const users = new Map<Node, Node[]>();
  for (const node of graph.nodes) {
    for (const producer of new Set(node.inputs.map((t) => t.node))) {
      const list = users.get(producer);
      if (list) list.push(node);
      else users.set(producer, [node]);
    }
  }
  return users;
}
