/**
 * Fusion's result: a *cover* of the graph (SEMANTICS §1). A group computes the nodes in `nodes` and stores `roots`; what
 * it needs from elsewhere it loads. A node may be computed in several groups, and is stored by at most one.
 */

import type { Graph } from "../graph/graph.ts";
import { resultsOf } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import type { Tensor } from "../graph/node.ts";
import { isProgram } from "../graph/op.ts";
import type { Rule } from "./reason.ts";

export interface Group {
  readonly id: number;
  /** Stored results, in graph order. */
  readonly roots: readonly Tensor[];
  /** Everything computed here, roots included. */
  readonly nodes: ReadonlySet<Node>;
}

export interface Cover {
  /** In an order in which they can run. */
  readonly groups: readonly Group[];
  readonly decisions: readonly Decision[];
}

/** A yes or no with its reason; what a report shows. */
export interface Decision {
  readonly fuse: boolean;
  /** The node that was to be computed elsewhere. */
  readonly node: Node;
  /** The root of the group it would have joined. */
  readonly into: Node;
  readonly because: string;
  /** Where several kernels read the node: the root of the one that had this reason to refuse it. */
  readonly refusedBy?: Node;
  /** Which kind of reason; policies that ship say it. */
  readonly rule?: Rule;
  /** Bytes of traffic saved and floating-point operations repeated by fusing. */
  readonly bytes: number;
  readonly flops: number;
}

/** Fed, resident or constant: in memory before anything runs. */
export const isLeaf = (node: Node): boolean =>
  node.op.name === "input" || node.op.name === "state" || isLargeConstant(node);

/** A constant of several numbers lives in a buffer; of one number, in the kernel's text. */
export const isLargeConstant = (node: Node): boolean =>
  node.op.name === "constant" && node.attrs.data.values.length > 1;

/** No inputs and no work. */
export const isFree = (node: Node): boolean =>
  node.op.name === "constant" || node.op.name === "sizeOf" || node.op.name === "iota";

/** No work: indices, or numbers known while compiling. */
export const isTrivial = (node: Node): boolean => node.op.view === true || isFree(node);

export const isProgramNode = (node: Node): boolean => !isLeaf(node) && isProgram(node.op.lower);

/** Tensors that a group loads: inputs of its nodes that it does not compute. */
export function loadsOf(group: Pick<Group, "nodes">): Tensor[] {
  const loads = new Map<string, Tensor>();
  for (const node of group.nodes) {
    for (const input of node.inputs) if (!group.nodes.has(input.node)) loads.set(input.key, input);
  }
  return [...loads.values()];
}

/** The results of a node that somebody outside its group, or the graph's user, needs. */
export function storedResults(
  node: Node,
  users: ReadonlyMap<Node, readonly Node[]>,
  wanted: ReadonlySet<string>,
): Tensor[] {
  const all = resultsOf(node);
  if (isProgramNode(node)) return [...all];
  return all.filter((t) =>
    wanted.has(t.key) || (users.get(node) ?? []).some((u) => u.inputs.some((i) => i.key === t.key))
  );
}

/** Names what a group does: its scope and the ops it computes, views left out. */
export function labelOf(graph: Graph, group: Pick<Group, "roots" | "nodes">): string {
  const scope = graph.builder.scopes.get(group.roots[0]!.node) ?? "";
  const ops = [...group.nodes].sort((a, b) => a.id - b.id)
    .filter((n) => !n.op.view && n.op.name !== "constant" && n.op.name !== "sizeOf")
    .map((n) => n.op.name);
  const counted = new Map<string, number>();
  for (const op of ops) counted.set(op, (counted.get(op) ?? 0) + 1);
  const text = [...counted].map(([op, n]) => n === 1 ? op : `${op}×${n}`).join(" ");
  return scope === "" ? text || "copy" : `${scope}: ${text || "copy"}`;
}
