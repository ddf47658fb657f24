/**
 * A graph with everything that one run of it needs: what is compared, shrunk, and written into reproduction files.
 * @module
 */

import { ShapeError } from "../../compiler/errors.ts";
import { GraphBuilder } from "../../compiler/graph/build.ts";
import { elementsOf, type Shape } from "../../compiler/graph/dim.ts";
import { type DType, type StoredArray, storedArray } from "../../compiler/graph/dtype.ts";
import {
  type Graph,
  inputName,
  makeGraph,
  resultsOf,
  type StateDecl,
  type StateWrite,
} from "../../compiler/graph/graph.ts";
import { type Node, Tensor } from "../../compiler/graph/node.ts";
import { Model } from "../../compiler/model/model.ts";
import { inputOp, stateOp } from "../../ops/leaves.ts";

/** A graph whose sizes are all numbers, and what it is fed. */
export interface Case {
  readonly graph: Graph;
  /** By the inputs' names. */
  readonly feeds: Readonly<Record<string, StoredArray>>;
  /** Contents of states before the run, by path. */
  readonly states: Readonly<Record<string, StoredArray>>;
}

/** What another case has differently. Tensors and nodes are those of the old graph. */
export interface Change {
  /** All that is returned, by name. */
  readonly outputs?: Readonly<Record<string, Tensor>>;
  /** All that is written. */
  readonly writes?: readonly StateWrite[];
  /** Nodes whose results are fed from now on, and with what. */
  readonly fed?: ReadonlyMap<Node, readonly StoredArray[]>;
  /** Nodes in whose place their operand of this number stands; its type must be that of the result. */
  readonly bypassed?: ReadonlyMap<Node, number>;
  /** An input in whose place another of its type stands. */
  readonly merged?: readonly [from: Node, into: Node];
  /** A size, and what takes its place wherever it occurs. */
  readonly extent?: readonly [from: number, to: number];
  /** Other numbers for some inputs, by name. */
  readonly feeds?: Readonly<Record<string, StoredArray>>;
}

/** The nodes that some tensors need, those that are fed among them, in order. */
function needed(tensors: readonly Tensor[], isFed: (node: Node) => boolean): Node[] {
  const found = new Set<Node>();
  const open = tensors.map((t) => t.node);
  for (let node = open.pop(); node; node = open.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    if (!isFed(node)) open.push(...node.inputs.map((t) => t.node));
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/**
 * The case with a change, made anew: inputs first, then states, then the nodes that are still needed, in their order.
 *
 * @returns undefined where the graph doesn't allow it.
 */
export function changed(old: Case, change: Change): Case | undefined {
  try {
    return rebuilt(old, change);
  } catch (error) {
    if (error instanceof ShapeError) return undefined;
    throw error;
  }
}

function rebuilt({ graph, feeds, states }: Case, change: Change): Case {
  const { outputs = graph.outputs, writes = graph.writes, fed = new Map(), bypassed = new Map() } = change;
  const resized = resizing(change.extent);
  const roots = [...Object.values(outputs), ...writes.flatMap((w) => [w.state, w.value])];
  const nodes = needed(roots, (node) => fed.has(node));
  const used = new Set(
    [...roots, ...nodes.filter((node) => !fed.has(node)).flatMap((node) => node.inputs)].map((t) => t.key),
  );
  const builder = new GraphBuilder();
  const made = new Map<Node, readonly Tensor[]>();
  const renewed = (t: Tensor): Tensor => made.get(t.node)![t.result]!;
  const arrays: Record<string, StoredArray> = {};
  const inputs: Tensor[] = [];
  const taken = new Set([...Object.keys(feeds), ...Object.keys(states)]);

  const feed = (name: string, type: Tensor, array: StoredArray): Tensor => {
    const shape = resized.shape(type.shape as readonly number[]);
    const given = change.feeds?.[name] ?? array;
    const tensor = new Tensor(builder.node(inputOp, [], { name, shape, dtype: type.dtype }), 0);
    inputs.push(tensor);
    arrays[name] = leadingBlock(type.dtype, given, type.shape as readonly number[], shape);
    return tensor;
  };
  const [from, into] = change.merged ?? [];
  for (const node of nodes) {
    if (node === from) continue;
    const results = fed.get(node);
    if (results) {
      // A result that nobody reads gets no input, and so no place that anybody could look for it.
      const own = resultsOf(node).map((t, i) =>
        used.has(t.key) ? feed(freeName(nameOf(node), taken), t, results[i]!) : t
      );
      made.set(node, own);
    } else if (node.op === inputOp) {
      const [t] = resultsOf(node);
      made.set(node, [feed(inputName(t!), t!, feeds[inputName(t!)]!)]);
    }
  }
  if (from !== undefined && into !== undefined) made.set(from, made.get(into)!);
  const ownStates: StateDecl[] = [];
  const contents: Record<string, StoredArray> = {};
  for (const declared of graph.states) {
    const { node } = declared.tensor;
    if (!nodes.includes(node) || made.has(node)) continue;
    const shape = resized.shape(declared.tensor.shape as readonly number[]);
    const tensor = new Tensor(builder.node(stateOp, [], { ...node.attrs, shape }), 0);
    contents[declared.path] = leadingBlock(
      tensor.dtype,
      states[declared.path]!,
      declared.tensor.shape as readonly number[],
      shape,
    );
    ownStates.push({ ...declared, tensor, initializer: () => contents[declared.path]! });
    made.set(node, [tensor]);
  }
  builder.use(() => {
    for (const node of nodes) {
      if (made.has(node)) continue;
      const operands = node.inputs.map(renewed);
      const instead = bypassed.get(node);
      const make = () => resultsOf(builder.node(node.op, operands, resized.attrs(node)));
      made.set(
        node,
        instead === undefined ? builder.onBehalfOf(node, make, graph.builder) : [operands[instead]!],
      );
    }
  });
  const next = makeGraph({
    builder,
    inputs,
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, renewed(t)])),
    states: ownStates,
    writes: writes.map((w) => ({ ...w, state: renewed(w.state), value: renewed(w.value) })),
  });
  return { graph: next, feeds: arrays, states: contents };
}

/** Puts another size in the place of one, in shapes and in attributes that hold sizes. */
function resizing(extent: Change["extent"]) {
  const [from, to] = extent ?? [0, 0];
  const one = (d: unknown): unknown => Array.isArray(d) ? d.map(one) : d === from ? to : d;
  return {
    shape: (shape: readonly number[]): readonly number[] =>
      extent === undefined ? shape : shape.map((d) => one(d) as number),
    attrs({ op, attrs }: Node): unknown {
      if (extent === undefined || !op.dims?.length) return attrs;
      // The numbers of a constant would have to be cut as well.
      if (attrs.data?.values.length > 1 && attrs.shape?.includes(from)) {
        throw new ShapeError("a constant has this size");
      }
      const own = { ...attrs };
      for (const name of op.dims) if (own[name] !== undefined) own[name] = one(own[name]);
      return own;
    },
  };
}

/** The first elements along every axis; where an axis grows, it repeats. */
function leadingBlock(
  dtype: DType,
  array: StoredArray,
  from: readonly number[],
  to: readonly number[],
): StoredArray {
  if (from.join() === to.join()) return array;
  const out = storedArray(dtype, elementsOf(to) as number);
  for (let i = 0; i < out.length; i++) {
    let [rest, at, stride] = [i, 0, 1];
    for (let axis = to.length - 1; axis >= 0; axis--) {
      at += (rest % to[axis]! % from[axis]!) * stride;
      rest = Math.floor(rest / to[axis]!);
      stride *= from[axis]!;
    }
    out[i] = array[at]!;
  }
  return out;
}

/** What an input is called that stands for a node. */
const nameOf = ({ op }: Node): string => op.name.replace(/\W+/g, "_").replace(/^(?=\d)|_+$/g, "") || "x";

function freeName(base: string, taken: Set<string>): string {
  let name = base;
  for (let n = 1; taken.has(name); n++) name = `${base}_${n}`;
  taken.add(name);
  return name;
}

/** The case as a model: what a reproduction file writes down. With `together`, all of it is to be one kernel. */
export function modelOf({ graph }: Case, together = false): Model {
  const inputs = Object.fromEntries(
    graph.inputs.map((t) => [inputName(t), { shape: t.shape as Shape, dtype: t.dtype }]),
  );
  if (!together) return new Model(inputs, graph);
  const builder = new GraphBuilder();
  const made = new Map<Node, readonly Tensor[]>();
  const renewed = (t: Tensor): Tensor => made.get(t.node)![t.result]!;
  const make = (node: Node) =>
    made.set(node, resultsOf(builder.node(node.op, node.inputs.map(renewed), node.attrs)));
  const isLeaf = (node: Node) => node.op === inputOp || node.op === stateOp;
  builder.use(() => {
    graph.nodes.filter(isLeaf).forEach(make);
    builder.fuse(() => graph.nodes.filter((node) => !isLeaf(node)).forEach(make));
  });
  return new Model(
    inputs,
    makeGraph({
      builder,
      inputs: graph.inputs.map(renewed),
      outputs: Object.fromEntries(Object.entries(graph.outputs).map(([name, t]) => [name, renewed(t)])),
      states: graph.states.map((s) => ({ ...s, tensor: renewed(s.tensor) })),
      writes: graph.writes.map((w) => ({ ...w, state: renewed(w.state), value: renewed(w.value) })),
    }),
  );
}

/** Bytes of all that a case is given. */
export const bytesOf = ({ feeds, states }: Case): number =>
  [...Object.values(feeds), ...Object.values(states)].reduce((n, array) => n + array.byteLength, 0);
