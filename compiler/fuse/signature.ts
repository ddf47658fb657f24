/**
 * What a group computes, as a text without names: two groups with equal signatures lower to the same values up to the
 * buffers they read and write. Equal layers of a model are then judged and scheduled once.
 *
 * Operands are numbered in order of first appearance, so the i-th operand of one group is the i-th of the other.
 */

import type { Node, Tensor } from "../graph/node.ts";
import type { Storage } from "./lower_group.ts";

export interface Signature {
  readonly text: string;
  /** Loaded and stored tensors in order of first appearance. */
  readonly operands: readonly Tensor[];
}

const own = new WeakMap<Node, string>();

/** Op, attributes and types of a node. A random stream is a kernel's parameter and no part of its meaning. */
function ownText(node: Node): string {
  let text = own.get(node);
  if (text === undefined) {
    const attrs = JSON.stringify(node.attrs, (key, value) => key === "stream" ? undefined : value);
    text = `${node.op.name}${attrs}${node.types.map((t) => `${t.dtype}${t.shape}`).join(";")}`;
    own.set(node, text);
  }
  return text;
}

/**
 * @param storage Where tensors live, if that is known already; it is part of what a kernel's text depends on.
 */
export function signatureOf(
  group: { readonly roots: readonly Tensor[]; readonly nodes: ReadonlySet<Node> },
  storage?: (tensor: Tensor) => Storage,
): Signature {
  const nodes = [...group.nodes].sort((a, b) => a.id - b.id);
  const local = new Map(nodes.map((n, i) => [n, i]));
  const operands = new Map<string, number>();
  const tensors: Tensor[] = [];
  /** Two tensors in one buffer are one binding: that they share it belongs to the signature. */
  const buffers = new Map<string, number>();
  const operand = (t: Tensor): string => {
    let number = operands.get(t.key);
    if (number === undefined) {
      operands.set(t.key, number = tensors.push(t) - 1);
    } else return `@${number}`;
    if (!storage) return `@${number}:${t.dtype}${t.shape}`;
    const { buffer, strides, offset } = storage(t);
    let shared = buffers.get(buffer.name);
    if (shared === undefined) buffers.set(buffer.name, shared = buffers.size);
    return `@${number}:${t.dtype}${t.shape}|${shared}:${buffer.dtype}${buffer.size}|${strides}+${offset}`;
  };
  let text = "";
  for (const node of nodes) {
    text += `${ownText(node)}(`;
    for (const input of node.inputs) {
      const i = local.get(input.node);
      text += i === undefined ? `${operand(input)},` : `${i}.${input.result},`;
    }
    text += ")\n";
  }
  for (const root of group.roots) text += `>${local.get(root.node)}.${root.result}${operand(root)}`;
  return { text, operands: tensors };
}
