/**
 * What the user asked to be one kernel: `fuse(() => …)` (compiler/model/hints.ts). A hint binds or fails: where the nodes
 * made in it cannot be one kernel, the compile ends with the reason.
 *
 * Views and numbers known while compiling belong to nobody: they are computed wherever they are read.
 */

import { CompileError } from "../errors.ts";
import type { Fusion } from "../graph/build.ts";
import { demanded, type Graph, resultsOf } from "../graph/graph.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { type Cover, type Decision, isLeaf, isProgramNode, isTrivial } from "./group.ts";
import type { Judge } from "./judge.ts";
import { isRefused } from "./reason.ts";
import { elementsOf } from "./worthwhile.ts";

/** A group that must be, whatever else a cover does: it may grow, and its results are stored. */
export interface RequiredGroup {
  readonly roots: readonly Tensor[];
  readonly nodes: ReadonlySet<Node>;
}

/** No elements, no kernel: the same model may be compiled for other sizes. */
const isEmpty = (node: Node): boolean => resultsOf(node).every((t) => elementsOf(t) === 0);

/** The nodes of each `fuse(…)` that are any work. */
function hinted(graph: Graph): ReadonlyMap<Fusion, ReadonlySet<Node>> {
  const sets = new Map<Fusion, Set<Node>>();
  for (const node of graph.nodes) {
    const fusion = graph.builder.fusions.get(node);
    if (!fusion || isLeaf(node) || isTrivial(node) || isEmpty(node)) continue;
    const set = sets.get(fusion);
    if (set) set.add(node);
    else sets.set(fusion, new Set([node]));
  }
  return sets;
}

/**
 * The groups that hints ask for.
 *
 * @throws CompileError, at the line of the hint, where one of them cannot be one kernel.
 */
export function requiredGroups(
  graph: Graph,
  users: ReadonlyMap<Node, readonly Node[]>,
  judge: Judge,
): readonly RequiredGroup[] {
  const wanted = demanded(graph);
  return [...hinted(graph)].map(([{ origin }, set]): RequiredGroup => {
    const fail = (because: string): never => {
      const ops = [...set].map((n) => n.op.name).join(", ");
      throw new CompileError(
        `fuse: ${ops} cannot be one kernel: ${because}. Take something out of the fuse(…), or leave it to the compiler`,
        { origin },
      );
    };
    for (const node of set) {
      if (isProgramNode(node)) fail(`${node.op.name} brings kernels of its own`);
      if (node.op.barrier) fail("noFuse inside it wants a result in memory");
    }
    const between = goingBack(set, users);
    if (between) fail(`${between.op.name}, which is not inside, needs one of them and is needed by another`);
    // Views from one to another are read through.
    const nodes = new Set(set);
    const stack = [...set].flatMap((n) => n.inputs.map((t) => t.node));
    for (let node = stack.pop(); node; node = stack.pop()) {
      if (nodes.has(node) || isLeaf(node) || !isTrivial(node)) continue;
      nodes.add(node);
      stack.push(...node.inputs.map((t) => t.node));
    }
    const roots = [...set].flatMap(resultsOf).filter((t) =>
      wanted.has(t.key) || usesOf(t, users).some((u) => !set.has(u))
    );
    const { verdict } = judge.judge({ roots, nodes });
    if (isRefused(verdict)) fail(verdict.refused);
    return { roots, nodes };
  });
}

/** Who uses a tensor, through views. */
function usesOf(tensor: Tensor, users: ReadonlyMap<Node, readonly Node[]>): Node[] {
  return (users.get(tensor.node) ?? []).filter((u) => u.inputs.some((t) => t.key === tensor.key))
    .flatMap((u) => u.op.view ? resultsOf(u).flatMap((t) => usesOf(t, users)) : [u]);
}

/** A node outside a set on a path from it and back, if there is one. */
function goingBack(set: ReadonlySet<Node>, users: ReadonlyMap<Node, readonly Node[]>): Node | undefined {
  const last = Math.max(...[...set].map((n) => n.id));
  const seen = new Set<Node>();
  const stack = [...set].flatMap(resultsOf).flatMap((t) => usesOf(t, users)).filter((n) => !set.has(n));
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node) || node.id > last) continue;
    seen.add(node);
    for (const user of resultsOf(node).flatMap((t) => usesOf(t, users))) {
      if (set.has(user)) return node;
      stack.push(user);
    }
  }
  return undefined;
}

/**
 * Holds a cover to the hints, whoever made it.
 *
 * @throws CompileError where the nodes of a `fuse(…)` ended up in several kernels.
 */
export function verifyHints(graph: Graph, { groups, decisions }: Cover, policy: string): void {
  for (const [{ origin }, set] of hinted(graph)) {
    if (groups.some((g) => [...set].every((n) => g.nodes.has(n)))) continue;
    const ops = [...set].map((n) => n.op.name).join(", ");
    const cut = decisions.findLast((d: Decision) => !d.fuse && set.has(d.node) && set.has(d.into));
    throw new CompileError(
      `fuse: ${ops} are several kernels with the policy "${policy}"` + (cut ? `: ${cut.because}` : ""),
      { origin },
    );
  }
}
