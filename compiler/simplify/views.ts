/** Views of views are one view, and a view that changes nothing is none: index maps compose, whatever they show. */

import { sameShape } from "../graph/dim.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { broadcastTo } from "../../ops/views/broadcast.ts";
import { permute } from "../../ops/views/permute.ts";
import { reshape } from "../../ops/views/reshape.ts";

/** What a view of `x` comes to, where that is simpler than the view; `node` gives the op and its attributes. */
export function simplerView(node: Node, x: Tensor): Tensor | undefined {
  const { name } = node.op;
  const inner = x.node.op.name === name ? x.node.inputs[0]! : undefined;
  const { shape } = node.types[0]!;
  if (name === "reshape") {
    if (sameShape(x.shape, shape)) return x;
    return inner && reshape(inner, shape);
  }
  if (name === "broadcastTo") {
    if (sameShape(x.shape, shape)) return x;
    // The inner stretch must be one that the outer could make: sizes of 1, aligned at the end.
    return inner && broadcastTo(inner, shape);
  }
  if (name === "permute") {
    const order: readonly number[] = node.attrs.order;
    if (order.every((axis, i) => axis === i)) return x;
    return inner && permute(inner, order.map((axis) => x.node.attrs.order[axis]));
  }
  return undefined;
}
