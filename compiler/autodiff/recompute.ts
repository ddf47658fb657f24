/**
 * Checkpoints: a gradient sees copies of the nodes inside one, computed again from what came into it.
 *
 * The copies carry an `instance` of their own, so interning keeps them apart from the forward nodes, which then die as
 * soon as the forward pass is done with them. Random nodes keep their stream: the copy draws the same numbers.
 *
 * With nested checkpoints a node lies on a path, outermost first. What a gradient in `1/2` needs from `1/2` is a copy of
 * that inner checkpoint, whose own inputs from `1` are a copy of the outer one: at every step the longest common path
 * decides which copy is meant.
 */

import type { GraphBuilder } from "../graph/build.ts";
import { type Node, Tensor } from "../graph/node.ts";

export class Recompute {
  /** One instance per checkpoint, for the whole gradient. */
  readonly #instances = new Map<string, number>();
  readonly #copies = new Map<string, Node>();

  constructor(private readonly builder: GraphBuilder) {}

  /** What the gradient of `node` uses in place of `t`. */
  seenFrom(node: Node, t: Tensor): Tensor {
    const path = this.builder.checkpoints.get(node);
    return path === undefined ? t : this.#copyWithin(path, t);
  }

  #copyWithin(path: string, t: Tensor): Tensor {
    const shared = this.#shared(path, t.node);
    // Depth-first without recursion, as a checkpoint may hold thousands of layers.
    const stack = shared === "" ? [] : [{ node: t.node, path: shared }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const { node, path } = top;
      const open = this.#copies.has(keyOf(path, node)) ? [] : node.inputs.flatMap((input) => {
        const shared = this.#shared(path, input.node);
        const missing = shared !== "" && !this.#copies.has(keyOf(shared, input.node));
        return missing ? [{ node: input.node, path: shared }] : [];
      });
      if (open.length > 0) {
        stack.push(...open);
        continue;
      }
      stack.pop();
      if (this.#copies.has(keyOf(path, node))) continue;
      const inputs = node.inputs.map((input) => this.#known(path, input));
      this.#copies.set(keyOf(path, node), this.#make(node, inputs, this.#instanceOf(path)));
    }
    return this.#known(path, t);
  }

  /** The checkpoint that the copy of a node belongs to, seen from `path`; "" where the node itself is meant. */
  #shared(path: string, node: Node): string {
    const own = this.builder.checkpoints.get(node);
    // What has no inputs is fed, known, or drawn at no cost: there is nothing to save.
    return own === undefined || node.inputs.length === 0 ? "" : commonPath(path, own);
  }

  #known(path: string, t: Tensor): Tensor {
    const copy = this.#copies.get(keyOf(this.#shared(path, t.node), t.node));
    return copy ? new Tensor(copy, t.result) : t;
  }

  #make({ op, attrs }: Node, inputs: readonly Tensor[], instance: number): Node {
    const before = this.builder.instance;
    this.builder.instance = instance;
    try {
      return this.builder.node(op, inputs, attrs);
    } finally {
      this.builder.instance = before;
    }
  }

  #instanceOf(path: string): number {
    let instance = this.#instances.get(path);
    if (instance === undefined) this.#instances.set(path, instance = this.builder.newInstance());
    return instance;
  }
}

const keyOf = (path: string, node: Node): string => `${path}|${node.id}`;

function commonPath(a: string, b: string): string {
  const [p, q] = [a.split("/"), b.split("/")];
  const shared = p.findIndex((number, i) => number !== q[i]);
  return (shared < 0 ? p : p.slice(0, shared)).join("/");
}
