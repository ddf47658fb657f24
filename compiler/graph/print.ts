/**
 * The text form of a graph, one line per node:
 *
 *     %0 = input name=x : f32[batch, 784]
 *     %1 = state path=linear/weight role=parameter : f32[784, 10]
 *     %2 = matmul %0 %1 : f32[batch, 10]  # linear
 *     return logits=%2
 *
 * Numbers are positions in the graph, so that equal graphs have equal texts. Later results of a node are `%2.1`.
 */

import { sameShape } from "./dim.ts";
import type { Graph } from "./graph.ts";
import { type Node, showType, type Tensor } from "./node.ts";

export interface PrintOptions {
  /** Also the scope of each node. Default true. */
  readonly scopes?: boolean;
}

/**
 * A graph as text: one node per line, with what it is made of, its type and, unless `scopes` is false, where it belongs.
 *
 * @example
 * ```ts
 * import { input, model, printGraph, relu } from "@weft/weft";
 *
 * const net = model({ x: input([3], "f32") }, ({ x }) => ({ y: relu(x) }));
 * console.log(printGraph(net.graph));
 * ```
 */
export function printGraph(graph: Graph, { scopes = true }: PrintOptions = {}): string {
  const show = numbered(graph);
  const lines = graph.nodes.map((node, i) => {
    const words = [`%${i} =`, node.op.name, ...node.inputs.map(show), ...showAttributes(node)];
    if (node.instance !== 0) words.push(`instance=${node.instance}`);
    const scope = scopes && graph.builder.scopes.get(node);
    return `${words.join(" ")} : ${node.types.map(showType).join(", ")}${scope ? `  # ${scope}` : ""}`;
  });
  for (const { state, value } of graph.writes) lines.push(`write ${show(state)} <- ${show(value)}`);
  const outputs = Object.entries(graph.outputs).map(([name, t]) => `${name}=${show(t)}`);
  return [...lines, `return ${outputs.join(" ")}`].join("\n") + "\n";
}

/** What texts call a tensor of the graph: its node's position, and which result of several it is (`%3.1`). */
export function numbered(graph: Graph): (t: Pick<Tensor, "node" | "result">) => string {
  const numbers = new Map(graph.nodes.map((node, i) => [node, i]));
  return ({ node, result }) => `%${numbers.get(node)}${result === 0 ? "" : `.${result}`}`;
}

/** Attributes as `name=value`; shape and dtype only where the type does not say them. */
export function showAttributes({ attrs, types }: Pick<Node, "attrs" | "types">): string[] {
  const words: string[] = [];
  for (const [name, value] of Object.entries(attrs)) {
    if (value === undefined) continue;
    if (name === "dtype" && value === types[0]!.dtype) continue;
    if (name === "shape" && Array.isArray(value) && sameShape(value, types[0]!.shape)) continue;
    words.push(`${name}=${plain(value)}`);
  }
  return words;
}

function plain(value: unknown): string {
  if (typeof value === "string") return value;
  // One number says more than the hash of its bits.
  if (isData(value) && value.values.length === 1) return String(value.values[0]);
  return JSON.stringify(value);
}

const isData = (value: unknown): value is { readonly values: ArrayLike<number> } =>
  typeof value === "object" && value !== null && "values" in value;
