/**
 * The text form of a cover: each group with the nodes it computes and the results it stores, then each decision with its
 * reason. Numbers are positions in the graph, as in `graph/print.ts`.
 *
 *     group 0: %3 exp, %5 sum -> %5 f32[8]
 *     %3 exp into %5 sum: fused, 512 bytes for 0 operations: saves a write and a read
 */

import type { Graph } from "../graph/graph.ts";
import { type Node, showType, type Tensor } from "../graph/node.ts";
import { numbered } from "../graph/print.ts";
import type { Cover } from "./group.ts";

/** A cover as text: its groups, then the decisions that led to them; see the top of this file. */
export function printCover(graph: Graph, { groups, decisions }: Cover): string {
  const name = numbered(graph);
  const show = (node: Node) => `${name({ node, result: 0 })} ${node.op.name}`;
  const result = (t: Tensor) => `${name(t)} ${showType(t)}`;
  const lines = groups.map(({ id, nodes, roots }) => {
    const computed = [...nodes].sort((a, b) => a.id - b.id).map(show).join(", ");
    return `group ${id}: ${computed} -> ${roots.map(result).join(", ")}`;
  });
  for (const { node, into, fuse, because, bytes, flops } of decisions) {
    const numbers = bytes > 0 || flops > 0 ? `, ${bytes} bytes for ${flops} operations` : "";
    lines.push(`${show(node)} into ${show(into)}: ${fuse ? "fused" : "stored"}${numbers}: ${because}`);
  }
  return lines.join("\n") + "\n";
}
