/**
 * A fusion policy is a value that a user can replace: a plain function from a graph to a cover. The verifier holds every
 * policy to the same rules.
 */

import { consumersOf, demanded, type Graph } from "../graph/graph.ts";
import type { TargetLimits } from "../target.ts";
import { type Cover, type Group, isLeaf, isProgramNode, storedResults } from "./group.ts";
import type { CostModel } from "./worthwhile.ts";

export interface FusionOptions {
  readonly limits: TargetLimits;
  readonly cost: CostModel;
  /** Paths of states that are known not to be updated in place: their old and new contents are two buffers. */
  readonly apart?: ReadonlySet<string>;
}

/** Which ops share a kernel: a value that a user can replace. */
export interface FusionPolicy {
  readonly name: string;
  /** Whether `fuse(…)` binds its covers. Default true. */
  readonly takesHints?: boolean;
  cover(graph: Graph, options: FusionOptions): Cover;
}

/**
 * Every node a kernel of its own. Views and single numbers are computed where they are read: they are no work.
 */
export function unfused(graph: Graph): Cover {
  const users = consumersOf(graph);
  const wanted = demanded(graph);
  const groups: Group[] = [];
  const inlined = (node: Node0): boolean =>
    !isLeaf(node) && !isProgramNode(node) && (node.op.view === true || node.op.name === "constant");
  for (const node of graph.nodes) {
    if (isLeaf(node)) continue;
    const results = storedResults(node, users, wanted);
    const kept = inlined(node) ? results.filter((t) => wanted.has(t.key)) : results;
    if (kept.length === 0) continue;
    const nodes = new Set([node]);
    // Free producers come along, all the way up.
    const stack = [...node.inputs.map((t) => t.node)];
    for (let n = stack.pop(); n; n = stack.pop()) {
      if (!inlined(n) || nodes.has(n)) continue;
      nodes.add(n);
      stack.push(...n.inputs.map((t) => t.node));
    }
    for (const root of isProgramNode(node) ? [kept] : kept.map((t) => [t])) {
      groups.push({ id: groups.length, roots: root, nodes });
    }
  }
  return { groups, decisions: [] };
}

type Node0 = Graph["nodes"][number];
