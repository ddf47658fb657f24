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
    const own = this.builder.checkpoints.get(t.node);
    const shared = own === undefined ? "" : commonPath(path, own);
    // What has no inputs is fed, known, or drawn at no cost: there is nothing to save.
    if (shared === "" || t.node.inputs.length === 0) return t;
    const key = `${shared}|${t.node.id}`;
    let copy = this.#copies.get(key);
    if (!copy) {
      const inputs = t.node.inputs.map((input) => this.#copyWithin(shared, input));
      copy = this.#make(t.node, inputs, this.#instanceOf(shared));
      this.#copies.set(key, copy);
    }
    return new Tensor(copy, t.result);
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

function commonPath(a: string, b: string): string {
  const [p, q] = [a.split("/"), b.split("/")];
  const shared = p.findIndex((number, i) => number !== q[i]);
  return (shared < 0 ? p : p.slice(0, shared)).join("/");
}
