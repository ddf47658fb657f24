/**
 * The pairs of ops for which "one kernel or two?" is a question: an op and one that reads its result, through views; and
 * siblings, whose kernels read the same tensor in loops over the same space.
 */

import { readThroughViews } from "../fuse/candidates.ts";
import { isLeaf, isProgramNode, isTrivial, loadsOf } from "../fuse/group.ts";
import type { Estimates } from "../fuse/plan_cost.ts";
import { isRefused } from "../fuse/reason.ts";
import { elementsOf } from "../fuse/worthwhile.ts";
import type { Graph } from "../graph/graph.ts";
import type { Node, Tensor } from "../graph/node.ts";
import type { Group } from "../fuse/group.ts";

/** `b` reads `tensor`, a result of `a`. */
export interface Edge {
  readonly relation: "feeds";
  readonly a: Node;
  readonly b: Node;
  readonly tensor: Tensor;
}

/** Both read `tensor`, in loops over the same space; neither needs the other. */
export interface Siblings {
  readonly relation: "siblings";
  readonly a: Node;
  readonly b: Node;
  readonly tensor: Tensor;
}

export type Neighbors = Edge | Siblings;

/** What an op reads of other ops, through views. */
export const edgesInto = (b: Node): readonly Edge[] =>
  readThroughViews([b], (n) => !isTrivial(n)).filter((t) => !isLeaf(t.node))
    .map((tensor) => ({ relation: "feeds", a: tensor.node, b, tensor }));

export const edgesOf = (graph: Graph): readonly Edge[] =>
  graph.nodes.filter((n) => !isLeaf(n) && !isTrivial(n)).flatMap(edgesInto);

/**
 * Siblings of a cover: of each two kernels over one space that read a tensor of more than one number, the first ops that
 * read it; and of a kernel of several results, each result with the next.
 */
export function siblingsOf(groups: readonly Group[], estimates: Estimates): readonly Siblings[] {
  const readers = new Map<string, { tensor: Tensor; list: Group[] }>();
  for (const group of groups) {
    if (isProgramNode(group.roots[0]!.node)) continue;
    for (const tensor of loadsOf(group)) {
      if (elementsOf(tensor) <= 1) continue;
      const known = readers.get(tensor.key);
      if (known) known.list.push(group);
      else readers.set(tensor.key, { tensor, list: [group] });
    }
  }
  const found = new Map<string, Siblings>();
  const add = (a: Node, b: Node, tensor: Tensor) => {
    const key = `${a.id} ${b.id}`;
    if (a !== b && !found.has(key)) found.set(key, { relation: "siblings", a, b, tensor });
  };
  for (const { tensor, list } of readers.values()) {
    const bySpace = Map.groupBy(list, (g) => {
      const { verdict } = estimates.of(g);
      return isRefused(verdict) ? `alone ${g.id}` : verdict.space;
    });
    for (const same of bySpace.values()) {
      same.forEach((g, i) => {
        const next = same[i + 1];
        if (next && !feeds(g, next)) add(readerIn(g, tensor), readerIn(next, tensor), tensor);
        g.roots.slice(1).forEach((t, j) => add(g.roots[j]!.node, t.node, tensor));
      });
    }
  }
  return [...found.values()];
}

const feeds = (a: Group, b: Group): boolean =>
  loadsOf(b).some((t) => a.roots.some((r) => r.key === t.key)) ||
  loadsOf(a).some((t) => b.roots.some((r) => r.key === t.key));

/** The first op of a group, views left out, that reads a tensor. */
function readerIn({ nodes, roots }: Group, tensor: Tensor): Node {
  const inOrder = [...nodes].filter((n) => !isTrivial(n)).sort((a, b) => a.id - b.id);
  return inOrder.find((n) => readThroughViews([n], (x) => !isTrivial(x)).some((t) => t.key === tensor.key)) ??
    roots[0]!.node;
}
