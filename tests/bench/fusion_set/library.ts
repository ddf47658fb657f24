/**
 * A policy of one kernel per op that a library offers: what frameworks that run op by op do, at their best. A function of
 * this library that counts as one thing, such as a softmax or a norm, is one kernel where that is legal, and as few as
 * can be where it is not; all else is an op by itself.
 *
 * Without fusion at all even a softmax is five kernels. Beside this policy one sees what fusing *across* ops buys.
 */

import { Candidates, type Part } from "../../../compiler/fuse/candidates.ts";
import type { FusionPolicy } from "../../../mod.ts";

export const library: FusionPolicy = {
  name: "library",
  takesHints: false,
  cover(graph, options) {
    const candidates = new Candidates(graph, options);
    const { atoms, producers } = candidates;
    /** The name of the function that was called: the first of the scope's path. */
    const calls = atoms.map(([node]) => (graph.builder.scopes.get(node!) ?? "").split("/")[0]!);
    /** The part of each atom so far. */
    const home: Part[] = atoms.map((_, i) => [i]);
    const join = (i: number, other: readonly number[]): boolean => {
      const joined = [...new Set([...home[i]!, ...other.flatMap((p) => home[p]!)])].sort((a, b) => a - b);
      if (joined.length === home[i]!.length) return true;
      if (candidates.refusal(joined)) return false;
      const before = joined.map((member) => home[member]!);
      for (const member of joined) home[member] = joined;
      if (isAcyclic(home, producers)) return true;
      joined.forEach((member, at) => home[member] = before[at]!);
      return false;
    };
    atoms.forEach((_, i) => {
      const own = [...producers[i]!].filter((p) => calls[i] !== "" && calls[p] === calls[i]);
      if (own.length > 0 && !join(i, own)) own.sort((a, b) => b - a).forEach((p) => join(i, [p]));
    });
    return candidates.cover([...new Set(home)]);
  },
};

/** Can the parts run one after the other? */
function isAcyclic(home: readonly Part[], producers: readonly ReadonlySet<number>[]): boolean {
  const state = new Map<Part, "open" | "done">();
  const visit = (part: Part): boolean => {
    if (state.has(part)) return state.get(part) === "done";
    state.set(part, "open");
    const fine = part.every((i) => [...producers[i]!].every((p) => home[p] === part || visit(home[p]!)));
    state.set(part, "done");
    return fine;
  };
  return home.every(visit);
}
