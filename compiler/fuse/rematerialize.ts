/**
 * What is cheaper to compute again than to keep.
 *
 * The forward pass stores an activation for its next layer; a hundred kernels later the gradient wants it again. Where
 * it is elementwise in tensors that are kept for the gradient anyway (gelu of a pre-activation, whose derivative needs
 * the pre-activation), the late uses get a copy of the node. The first result then dies young, and fusion usually finds
 * a late kernel that reads the operands as it is and computes the copy in passing.
 *
 * Copies carry an instance number, so that interning keeps them apart (SEMANTICS §1).
 */

import { consumersOf, demanded, type Graph, resultsOf } from "../graph/graph.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { rewriteGraph } from "../graph/rewrite.ts";
import { isLeaf, isProgramNode } from "./group.ts";
import type { OwnWorks } from "./own_work.ts";
import { bytesOfNode, type CostModel } from "./worthwhile.ts";

/** Nodes between two uses that make the later one late. Half a layer of a transformer; a residual block has fewer. */
export const distance = 48;

export function rematerialize(graph: Graph, cost: CostModel, works: OwnWorks): Graph {
  const users = consumersOf(graph);
  const wanted = demanded(graph);
  /** For each node worth a copy, the position from which users take it. */
  const lateFrom = new Map<Node, number>();
  for (const node of graph.nodes) {
    const late = lateUse(node, users);
    if (late === undefined || wanted.has(resultsOf(node)[0]!.key)) continue;
    if (bytesOfNode(node) < cost.bytesPerDispatch || !keptAnyway(node, late, users)) continue;
    const work = works.of(node);
    // Twice the traffic that is saved would buy this many operations.
    if (work.elementwise && work.flops <= 16 * cost.flopsPerByte) lateFrom.set(node, late);
  }
  if (lateFrom.size === 0) return graph;
  const renewed = new Map<Node, readonly Tensor[]>();
  let instance: number | undefined;
  return rewriteGraph(graph, (node, inputs, builder) => {
    renewed.set(node, inputs);
    if (node.op.view) return undefined; // copied along with what they show
    /** The tensor again, and the views before it. */
    const copy = (t: Tensor): Tensor => {
      const { op, attrs } = t.node;
      if (op.view) return resultsOf(builder.node(op, t.node.inputs.map(copy), attrs))[t.result]!;
      return resultsOf(builder.node(op, renewed.get(t.node)!, attrs))[t.result]!;
    };
    const own = node.inputs.map((t, i) => {
      const late = lateFrom.get(sourceOf(t));
      if (late === undefined || node.id < late) return inputs[i]!;
      instance ??= builder.newInstance();
      const before = builder.instance;
      builder.instance = instance;
      try {
        return copy(t);
      } finally {
        builder.instance = before;
      }
    });
    if (own.every((t, i) => t === inputs[i])) return undefined;
    return resultsOf(builder.node(node.op, own, node.attrs));
  });
}

/** What a chain of views shows. */
function sourceOf(t: Tensor): Node {
  let { node } = t;
  while (node.op.view && node.inputs.length === 1) node = node.inputs[0]!.node;
  return node;
}

/** Users of a node, through views. */
function usesOf(node: Node, users: ReadonlyMap<Node, readonly Node[]>): Node[] {
  return (users.get(node) ?? []).flatMap((u) => u.op.view && u.inputs.length === 1 ? usesOf(u, users) : [u]);
}

/** The first user after the longest pause between uses, if the pause is long. */
function lateUse(node: Node, users: ReadonlyMap<Node, readonly Node[]>): number | undefined {
  const uses = usesOf(node, users).sort((a, b) => a.id - b.id);
  if (
    uses.length < 2 || isLeaf(node) || isProgramNode(node) || node.op.view || node.op.barrier ||
    node.types.length > 1
  ) {
    return undefined;
  }
  let late: number | undefined;
  let longest = distance;
  for (let i = 1; i < uses.length; i++) {
    const pause = uses[i]!.id - uses[i - 1]!.id;
    if (pause > longest) {
      longest = pause;
      late = uses[i]!.id;
    }
  }
  return late;
}

/** Is every operand used about as late by somebody else? */
function keptAnyway(node: Node, late: number, users: ReadonlyMap<Node, readonly Node[]>): boolean {
  return node.inputs.every(({ node: input }) =>
    isLeaf(input) || usesOf(input, users).some((u) => u !== node && u.id > late - distance / 2)
  );
}
