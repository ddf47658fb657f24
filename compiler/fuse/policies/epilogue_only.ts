/**
 * The policy of most libraries: a product, a reduction or a map takes the elementwise ops that follow it into its
 * kernel, and nothing else is fused. No prologues, no rows of dependent reductions, no siblings, nothing twice.
 *
 * In the graph's order, each elementwise op joins the youngest kernel whose result it reads, if that is legal and the
 * kernels can still run one after the other. A result that others read too is stored beside the last one.
 */

import type { Graph } from "../../graph/graph.ts";
import { Candidates, type Part } from "../candidates.ts";
import { type Cover, type Decision, isProgramNode } from "../group.ts";
import { OwnWorks } from "../own_work.ts";
import type { FusionOptions } from "../policy.ts";
import type { Refused } from "../reason.ts";

export function epilogueOnly(graph: Graph, options: FusionOptions): Cover {
  const candidates = new Candidates(graph, options);
  const { atoms, producers } = candidates;
  const works = new OwnWorks();
  /** The part of each atom so far. */
  const home: Part[] = [];
  const decisions: Decision[] = [];
  atoms.forEach((nodes, i) => {
    home[i] = [i];
    const node = nodes[0]!;
    const elementwise = nodes.length === 1 && !candidates.hinted.has(node) && !isProgramNode(node) &&
      works.of(node).elementwise;
    for (const p of [...producers[i]!].sort((a, b) => b - a)) {
      const joined = [...home[p]!, i];
      const refused: Refused | undefined = elementwise
        ? candidates.refusal(joined) ?? cycle(candidates, home, joined)
        : { rule: "cost", refused: `${node.op.name} is not elementwise, and starts a kernel of its own` };
      decisions.push({
        fuse: !refused,
        node: atoms[p]!.at(-1)!,
        into: node,
        because: refused?.refused ?? "an elementwise op ends the kernel whose result it reads",
        rule: refused?.rule ?? "cost",
        bytes: 0,
        flops: 0,
      });
      if (refused) continue;
      for (const member of joined) home[member] = joined;
      return;
    }
  });
  return { ...candidates.cover([...new Set(home)]), decisions };
}

/** Would the part need, through others, what it computes itself? Atoms that come later read only what came before. */
function cycle({ producers }: Candidates, home: readonly Part[], joined: Part): Refused | undefined {
  const inside = new Set(joined);
  const seen = new Set<number>();
  const stack = joined.flatMap((i) => [...producers[i]!]).filter((p) => !inside.has(p));
  for (let p = stack.pop(); p !== undefined; p = stack.pop()) {
    if (inside.has(p)) {
      return { rule: "cycle", refused: "a third kernel needs the result of one and feeds the other" };
    }
    if (seen.has(p)) continue;
    seen.add(p);
    for (const member of home[p]!) for (const q of producers[member]!) if (home[q] !== home[p]) stack.push(q);
  }
  return undefined;
}
