/**
 * Repairs groups that read more buffers than one kernel may bind.
 *
 * While groups grow, what is not decided yet is not counted, so a group may end up with too many operands (a sum of
 * twenty tensors, say). Then a sub-expression is stored after all: the smallest one that takes enough operands with it.
 */

import { resultsOf } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { type Cover, type Decision, type Group, isProgramNode, loadsOf } from "./group.ts";
import { bindingsOf, type ExpectedStorage } from "./expected_storage.ts";
import { classify } from "./legal.ts";
import { isRefused, tooManyBuffers } from "./reason.ts";
import { lowerGroup } from "./lower_group.ts";
import { pruned } from "./prune.ts";
import { elements } from "./worthwhile.ts";

/**
 * The same cover where no group binds too many buffers; a group that cannot be split is left to the schedule's error.
 *
 * @param wanted What must be in memory at the end.
 */
export function splitToLimit(
  cover: Cover,
  users: ReadonlyMap<Node, readonly Node[]>,
  { limit, storage, wanted }: {
    readonly limit: number;
    readonly storage: ExpectedStorage;
    readonly wanted: ReadonlySet<string>;
  },
): Cover {
  const bindings = (group: Group) => bindingsOf([...loadsOf(group), ...group.roots], storage);
  const fits = (group: Group) => isProgramNode(group.roots[0]!.node) || bindings(group) <= limit;
  if (cover.groups.every(fits)) return cover;
  const decisions: Decision[] = [...cover.decisions];
  const out: Group[] = [];
  const stored = new Map<Node, Group>();
  const queue = [...cover.groups];
  for (let group = queue.shift(); group; group = queue.shift()) {
    const excess = bindings(group) - limit + 1;
    // Where no one cut helps, since operands are used on both sides of it, any makes the group smaller, down to one node;
    // what is cut off is cut in its turn.
    const cut = fits(group) ? undefined : chooseCut(group, users, { excess, limit, least: 1 }) ??
      chooseCut(group, users, { excess, limit: Infinity, least: -Infinity });
    if (!cut) {
      out.push(group);
      continue;
    }
    const { rule, refused } = tooManyBuffers(bindings(group), limit);
    const into = group.roots[0]!.node;
    decisions.push({
      fuse: false,
      node: cut.node,
      into,
      because: `the kernel ${refused}`,
      rule,
      bytes: 0,
      flops: 0,
    });
    if (!stored.has(cut.node)) {
      const piece: Group = { id: 0, roots: resultsOf(cut.node), nodes: cut.below };
      stored.set(cut.node, piece);
      queue.push(piece);
    }
    queue.push({ ...group, nodes: without(group, cut.node, users) });
  }
  return { groups: pruned(out, wanted).map((g, id) => ({ ...g, id })), decisions };
}

interface Wanted {
  /** Operands that should go. */
  readonly excess: number;
  /** Buffers that the kernel of what is cut off may bind. */
  readonly limit: number;
  /** Operands that must go. */
  readonly least: number;
}

/** The cheapest node whose own kernel is legal and takes enough operands out of the group. */
function chooseCut(
  group: Group,
  users: ReadonlyMap<Node, readonly Node[]>,
  { excess, limit, least }: Wanted,
): { node: Node; below: Set<Node> } | undefined {
  const roots = new Set(group.roots.map((r) => r.node));
  const before = loadsOf(group).length;
  let best: { node: Node; below: Set<Node>; size: number; saved: number } | undefined;
  for (const node of [...group.nodes].sort((a, b) => a.id - b.id)) {
    if (roots.has(node) || node.op.view || node.types.length > 1) continue;
    const below = subtree(node, group);
    const loads = loadsOf({ nodes: below }).length;
    if (loads < 2 || loads + 1 > limit) continue;
    const saved = before - loadsOf({ nodes: without(group, node, users) }).length;
    if (saved < least) continue;
    if (isRefused(classify(lowerGroup({ roots: resultsOf(node), nodes: below }), limit))) continue;
    const size = elements(node);
    // Enough operands at once if possible, else as many as possible; then the smaller tensor.
    const score = Math.min(saved, excess);
    const bestScore = best ? Math.min(best.saved, excess) : -Infinity;
    if (score > bestScore || (score === bestScore && size < best!.size)) {
      best = { node, below, size, saved };
    }
  }
  return best;
}

function subtree(node: Node, group: Group): Set<Node> {
  const below = new Set([node]);
  const stack = [node];
  for (let n = stack.pop(); n; n = stack.pop()) {
    for (const { node: input } of n.inputs) {
      if (group.nodes.has(input) && !below.has(input)) {
        below.add(input);
        stack.push(input);
      }
    }
  }
  return below;
}

/** The group's nodes when `cut` is loaded instead: whatever only served it goes too. */
function without(group: Group, cut: Node, users: ReadonlyMap<Node, readonly Node[]>): Set<Node> {
  const roots = new Set(group.roots.map((r) => r.node));
  const kept = new Set(group.nodes);
  kept.delete(cut);
  for (const node of [...group.nodes].sort((a, b) => b.id - a.id)) {
    if (roots.has(node) || !kept.has(node)) continue;
    if (!(users.get(node) ?? []).some((u) => kept.has(u))) kept.delete(node);
  }
  return kept;
}
