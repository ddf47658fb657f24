import type { Group } from "./group.ts";
import { loadsOf } from "./group.ts";
import type { Tensor } from "../graph/node.ts";

/**
 * Groups in an order in which they can run, otherwise in the graph's, and numbered. Where none exists, since groups need
 * each other, they come out in some order: `isRunnable` tells.
 */
export function orderGroups(groups: readonly Omit<Group, "id">[]): readonly Group[] {
  const out: Group[] = [];
  walkGroups(groups, (g) => out.push({ ...g, id: out.length }));
  return out;
}

/**
 * Whether no group needs, through others, what it stores itself.
 *
 * @param loads What a group loads, for whoever remembers it.
 */
export const isRunnable = <G extends Omit<Group, "id">>(
  groups: readonly G[],
  loads: (group: G) => readonly Tensor[] = loadsOf,
): boolean => walkGroups(groups, () => {}, loads);

function walkGroups<G extends Omit<Group, "id">>(
  groups: readonly G[],
  visit: (group: G) => void,
  loads: (group: G) => readonly Tensor[] = loadsOf,
): boolean {
  const home = new Map(groups.flatMap((g) => g.roots.map((t) => [t.key, g] as const)));
  const state = new Map<G, "open" | "done">();
  let runnable = true;
  const go = (g: G): void => {
    const known = state.get(g);
    if (known === "open") runnable = false;
    if (known) return;
    state.set(g, "open");
    for (const t of loads(g)) {
      const producer = home.get(t.key);
      if (producer && producer !== g) go(producer);
    }
    state.set(g, "done");
    visit(g);
  };
  for (const g of groups.toSorted((a, b) => a.roots[0]!.node.id - b.roots[0]!.node.id)) go(g);
  return runnable;
}
