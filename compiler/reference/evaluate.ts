/**
 * Evaluates a graph by the references of its ops: the meaning of a model, in f64 for the float types.
 * @module
 */

import type { HostArray } from "../graph/dtype.ts";
import type { Node, Tensor } from "../graph/node.ts";
import type { ConcreteType } from "../kernel/value.ts";

/** Contents of inputs and states by node. */
export type Feeds = ReadonlyMap<Node, HostArray>;

/** What a node computed may be replaced before its users see it. */
export type Hook = (
  node: Node,
  results: readonly HostArray[],
  inputs: readonly HostArray[],
) => readonly HostArray[];

/** The types of a node's inputs and results; all sizes must be known. */
export function concreteTypes(
  node: Node,
): { inputs: readonly ConcreteType[]; outputs: readonly ConcreteType[] } {
  const concrete = (
    { shape, dtype }: { shape: readonly (number | string)[]; dtype: ConcreteType["dtype"] },
  ) => {
    if (shape.some((d) => typeof d !== "number")) throw new Error(`[${shape.join(", ")}] has open sizes`);
    return { shape: shape as readonly number[], dtype };
  };
  return { inputs: node.inputs.map(concrete), outputs: node.types.map(concrete) };
}

/** The nodes that the tensors depend on, inputs before users. */
export function nodesBelow(outputs: readonly Tensor[]): Node[] {
  const seen = new Set<Node>();
  const open = outputs.map((t) => t.node);
  for (let node = open.pop(); node; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    open.push(...node.inputs.map((t) => t.node));
  }
  // Ids are a topological order.
  return [...seen].sort((a, b) => a.id - b.id);
}

/** The contents of the outputs. */
export function evaluateGraph(outputs: readonly Tensor[], feeds: Feeds, hook?: Hook): HostArray[] {
  const results = new Map<Node, readonly HostArray[]>();
  const of = (t: Tensor): HostArray => results.get(t.node)![t.result]!;
  const nodes = nodesBelow(outputs);
  const lastUse = new Map(nodes.flatMap((node) => node.inputs.map((t) => [t.node, node] as const)));
  for (const { node } of outputs) lastUse.delete(node);
  for (const node of nodes) {
    const fed = feeds.get(node);
    if (fed) {
      results.set(node, [fed]);
      continue;
    }
    const inputs = node.inputs.map(of);
    const computed: readonly HostArray[] = node.op.reference(inputs, node.attrs, concreteTypes(node));
    results.set(node, hook ? hook(node, computed, inputs) : computed);
    // All results of a training step together are gigabytes.
    for (const t of node.inputs) if (lastUse.get(t.node) === node) results.delete(t.node);
  }
  return outputs.map(of);
}
