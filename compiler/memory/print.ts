/**
 * The text form of a placement: groups in the order in which they run, with the buffer of each result; then what could
 * not be written in place, and what lies side by side.
 *
 *     softmax: max sub exp sum div -> %8 in "8.0"
 *     slab0: state, 3 side by side: state:a +0, state:b +256, state:c +512
 */

import { labelOf } from "../fuse/group.ts";
import type { Graph } from "../graph/graph.ts";
import { numbered } from "../graph/print.ts";
import type { Placement } from "./placement.ts";
import type { Packing } from "./pack.ts";

export function printPlacement(graph: Graph, { order, copies, storage }: Placement): string {
  const name = numbered(graph);
  const lines = order.map((group) => {
    const places = group.roots.map((t) => {
      const { buffer, offset } = storage(t);
      return `${name(t)} in "${buffer.name}"${offset === 0 ? "" : ` +${offset}`}`;
    });
    return `${labelOf(graph, group)} -> ${places.join(", ")}`;
  });
  for (const { from, to, because } of copies) {
    lines.push(`copied at the end: "${from}" to "${to}": ${because}`);
  }
  return lines.join("\n") + "\n";
}

export function printPacking({ slabs }: Packing): string {
  return slabs.map(({ name, role, members }) =>
    `${name}: ${role}, ${members.length} side by side: ` +
    members.map(({ buffer, offset }) => `${buffer} +${offset}`).join(", ") + "\n"
  ).join("");
}
