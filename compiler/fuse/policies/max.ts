/**
 * The policy that asks no price: whatever may legally share a kernel does, however often that repeats work. It shows what
 * a cost model is for.
 *
 * From the results backwards, every stored result is computed in place by all that read it if each of those kernels stays
 * legal; then kernels that share memory are merged for as long as that is legal.
 */

import type { Graph } from "../../graph/graph.ts";
import { Candidates } from "../candidates.ts";
import type { Cover, Decision } from "../group.ts";
import { apart, type Edit, type Plan } from "../plan_edits.ts";
import type { FusionOptions } from "../policy.ts";
import { isRefused, type Refused } from "../reason.ts";

export function max(graph: Graph, options: FusionOptions): Cover {
  const candidates = new Candidates(graph, options);
  const decisions: Decision[] = [];
  let plan = apart(candidates);
  const roots = plan.groups.flatMap((g) => g.roots).sort((a, b) => b.node.id - a.node.id);
  for (const root of roots) {
    // What nobody reads any more has gone.
    const readers = plan.groups.filter((g) => g.roots.every((t) => t.key !== root.key) && reads(g, root.key));
    if (readers.length === 0 || !plan.groups.some((g) => g.roots.some((t) => t.key === root.key))) continue;
    const [next, refused] = taken(plan, plan.inline(root));
    for (const reader of readers) {
      decisions.push(decide(!refused, root.node, reader.roots[0]!.node, refused));
    }
    plan = next;
  }
  let before: Plan | undefined;
  while (before !== plan) {
    before = plan;
    for (const found of before.edits("merge")) {
      const edit = plan.renewed(found);
      const next = edit && plan.after(edit);
      if (!next) continue;
      decisions.push(decide(true, edit.what[1]!, edit.what[0]!));
      plan = next;
    }
  }
  return plan.cover(decisions);
}

const reads = ({ nodes }: Plan["groups"][number], key: string): boolean =>
  [...nodes].some((n) => n.inputs.some((t) => t.key === key && !nodes.has(t.node)));

function taken(plan: Plan, edit: Edit | Refused): readonly [Plan, Refused | undefined] {
  if (isRefused(edit)) return [plan, edit];
  const next = plan.after(edit);
  if (next) return [next, undefined];
  return [plan, { rule: "cycle", refused: "a third kernel needs the result of one and feeds the other" }];
}

const decide = (fuse: boolean, node: Decision["node"], into: Decision["into"], no?: Refused): Decision => ({
  fuse,
  node,
  into,
  because: no?.refused ?? "legal, and this policy asks for no more",
  rule: no?.rule ?? "cost",
  bytes: 0,
  flops: 0,
});
