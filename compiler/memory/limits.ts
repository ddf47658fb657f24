/** Whether a device can hold what a program has: a kernel binds a tensor as a whole, and counts its elements by i32. */

import { CompileError } from "../errors.ts";
import { labelOf, loadsOf } from "../fuse/group.ts";
import { elements, elementsOf } from "../fuse/worthwhile.ts";
import type { Graph } from "../graph/graph.ts";
import { type Node, showType } from "../graph/node.ts";
import type { TargetLimits } from "../target.ts";
import { bytesOf, type Placement } from "./placement.ts";
import { mostElements, whyTooLarge } from "./too_large.ts";

/** @throws CompileError, with numbers, where a kernel would bind a tensor that is too large for it. */
export function checkLimits(graph: Graph, placement: Placement, { bindingBytes }: TargetLimits): void {
  for (const group of placement.order) {
    for (const node of group.nodes) checkTerms(graph, node);
    for (const tensor of [...loadsOf(group), ...group.roots]) {
      const buffer = placement.buffers.get(placement.storage(tensor).buffer.name)!;
      const bytes = bytesOf(buffer);
      const because = whyTooLarge(bytes, buffer.size, bindingBytes);
      if (because === undefined) continue;
      const what = nameOf(tensor.node) ?? `a tensor in "${labelOf(graph, group)}"`;
      throw new CompileError(
        `memory: ${what}, ${showType(tensor)}, is too large: ${because}; ` +
          "make it smaller (a batch, a vocabulary), or compute it in parts",
        { origin: graph.builder.originsOf(tensor.node)[0] },
      );
    }
  }
}

/** A tensor that is never stored may have more elements than can be counted, but not one result's worth of them. */
function checkTerms({ builder }: Graph, node: Node): void {
  if (node.op.view) return;
  const results = Math.max(1, elements(node));
  const most = Math.max(0, ...node.inputs.map((t) => elementsOf(t))) / results;
  if (most <= mostElements) return;
  throw new CompileError(
    `memory: ${node.op.name} goes through ${
      Math.round(most)
    } numbers for each of its results, and a kernel counts up to ` +
      `${mostElements}; compute it in parts`,
    { origin: builder.originsOf(node)[0] },
  );
}

const nameOf = (node: Node): string | undefined =>
  node.op.name === "input"
    ? `the input "${node.attrs.name}"`
    : node.op.name === "state"
    ? `the state "${node.attrs.path}"`
    : undefined;
