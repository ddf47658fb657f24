/**
 * What one node does by itself, read off its own value: is every input read at the very index of the result, and how
 * many operations is that?
 *
 * An elementwise node changes no index and adds no loop, so computing it in place of a load keeps a legal group legal:
 * the question whether a group may grow is asked in full only for the other nodes.
 */

import { resultsOf } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { type Value, walk } from "../kernel/value.ts";
import { lowerGroup } from "./lower_group.ts";
import { signatureOf } from "./signature.ts";
import { flopsOf } from "./worthwhile.ts";

export interface OwnWork {
  readonly elementwise: boolean;
  /** Does nothing but choose, by position, which of several tensors to read? */
  readonly joins: boolean;
  /** Operations per element of the result; a load counts as eight. */
  readonly flops: number;
}

export class OwnWorks {
  readonly #known = new Map<Node, OwnWork>();
  /** Equal layers do equal work. */
  readonly #byText = new Map<string, OwnWork>();

  of(node: Node): OwnWork {
    let work = this.#known.get(node);
    if (work) return work;
    const { text } = signatureOf({ roots: resultsOf(node), nodes: new Set([node]) });
    work = this.#byText.get(text);
    if (!work) this.#byText.set(text, work = ownWork(node));
    this.#known.set(node, work);
    return work;
  }
}

function ownWork(node: Node): OwnWork {
  const { roots } = lowerGroup({ roots: resultsOf(node), nodes: new Set([node]) });
  let elementwise = roots.length === 1;
  const root = roots[0]!;
  // One that is the same along an axis would make whoever sums it another kind of kernel.
  if (root.axes.some((a) => a.kind === "var" && !root.value.free.has(a))) elementwise = false;
  walk([root.value], (v) => {
    if (v.kind === "load" && v.index !== root.index) elementwise = false;
    if (v.kind === "reduce" || v.kind === "prefix") elementwise = false;
    // An op that looks at its own position (a mask) is elementwise as well; one that computes with it may not be.
    if (v.kind === "load" && v.index.kind === "const" && root.index.kind !== "const") elementwise = false;
  });
  return { elementwise, joins: joins(root.value), flops: Math.max(...roots.map((r) => flopsOf(r.value))) };
}

function joins(value: Value): boolean {
  const loads = new Set<string>();
  let rest = value;
  while (rest.kind === "guard") {
    if (rest.value.kind !== "load") return false;
    loads.add(rest.value.buffer.name);
    rest = rest.otherwise;
  }
  return loads.size > 1;
}
