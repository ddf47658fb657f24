/**
 * Covers that are changed one step at a time, and the three steps that lead from any cover to any other:
 *
 *     merge    two groups that share memory become one kernel; what one stored for the other alone is no result any more
 *     inline   a stored result is computed in place by every group that reads it, once more in each
 *     store    what groups compute in place is stored by a group of its own, and loaded
 *
 * Whether a step is legal is asked of `Candidates`; whether it pays is somebody else's question.
 */

import { resultsOf } from "../graph/graph.ts";
import type { Node, Tensor } from "../graph/node.ts";
import type { Candidates } from "./candidates.ts";
import { type Cover, type Group, isLeaf, isProgramNode, isTrivial, loadsOf } from "./group.ts";
import { isRunnable, orderGroups } from "./order_groups.ts";
import { pruned } from "./prune.ts";
import { isRefused, type Refused } from "./reason.ts";
import { distance } from "./rematerialize.ts";
import { elementsOf } from "./worthwhile.ts";

type Part = Omit<Group, "id">;

/** What a step replaces by what. */
export interface Edit {
  readonly kind: "merge" | "inline" | "store";
  /** What it is about: a root of each group merged, the result inlined, the node stored. */
  readonly what: readonly Node[];
  readonly remove: readonly Part[];
  readonly add: readonly Part[];
  /** The same step of a later plan, in which others may read what it is about. */
  again(plan: Plan): Edit | Refused;
}

const loads = new WeakMap<Part, readonly Tensor[]>();

/** What a group loads, found once: groups never change. */
function loadsOnce(group: Part): readonly Tensor[] {
  let known = loads.get(group);
  if (!known) loads.set(group, known = loadsOf(group));
  return known;
}

/** Readers of one tensor beyond which only those next to each other are thought of as a pair. */
const mostPairs = 8;

export class Plan {
  readonly ms: number;
  readonly #groups: ReadonlySet<Part>;
  readonly #homes = new Map<string, Part>();
  readonly #readers = new Map<string, Part[]>();

  constructor(readonly candidates: Candidates, readonly groups: readonly Part[]) {
    this.#groups = new Set(groups);
    this.ms = groups.reduce((sum, g) => sum + candidates.estimates.of(g).ms, 0);
    for (const g of groups) {
      for (const t of g.roots) this.#homes.set(t.key, g);
      for (const t of loadsOnce(g)) {
        const list = this.#readers.get(t.key);
        if (list) list.push(g);
        else this.#readers.set(t.key, [g]);
      }
    }
  }

  cover(decisions: Cover["decisions"] = []): Cover {
    return { groups: orderGroups(this.groups), decisions };
  }

  /** Names the cover: equal covers have equal keys. */
  get key(): string {
    return this.groups.map((g) =>
      `${g.roots.map((t) => t.key)}:${[...g.nodes].map((n) => n.id).sort((a, b) => a - b)}`
    ).sort().join(" ");
  }

  /** The plan after a step, without what nobody reads then; undefined where its groups would need each other. */
  after({ remove, add }: Edit): Plan | undefined {
    const gone = new Set(remove);
    const kept = this.groups.filter((g) => !gone.has(g));
    const numbered = [...kept, ...add].map((g) => "id" in g ? g as Group : { ...g, id: 0 });
    const groups = pruned(numbered, this.candidates.wanted, loadsOnce);
    return isRunnable(groups, loadsOnce) ? new Plan(this.candidates, groups) : undefined;
  }

  /** A step that was found for an earlier plan, as it would be in this one; undefined where it is gone. */
  renewed(edit: Edit): Edit | undefined {
    if (!edit.remove.every((g) => this.#groups.has(g))) return undefined;
    const now = edit.again(this);
    return isRefused(now) ? undefined : now;
  }

  /** Every step that could be taken, or those of one kind; of each is known that its kernels are legal. */
  *edits(kind?: Edit["kind"]): Iterable<Edit> {
    const wanted = (k: Edit["kind"]) => kind === undefined || kind === k;
    if (wanted("merge")) { for (const [a, b] of this.#pairs()) yield* legal(this.merge(a, b)); }
    if (wanted("inline")) {
      for (const g of this.groups) for (const t of g.roots) yield* legal(this.inline(t));
    }
    if (wanted("store")) { for (const node of this.#inside()) yield* legal(this.store(node)); }
  }

  /** Groups that share memory. */
  *#pairs(): Iterable<readonly [Part, Part]> {
    const seen = new Map<Part, Set<Part>>();
    for (const list of this.#sharing()) {
      for (let i = 0; i < list.length; i++) {
        const end = list.length > mostPairs ? Math.min(list.length, i + 2) : list.length;
        for (let j = i + 1; j < end; j++) {
          const [a, b] = [list[i]!, list[j]!];
          const met = seen.get(a) ?? new Set();
          if (met.has(b) || seen.get(b)?.has(a)) continue;
          seen.set(a, met.add(b));
          yield [a, b];
        }
      }
    }
  }

  /** What is computed in place somewhere. */
  #inside(): ReadonlySet<Node> {
    const inside = new Set<Node>();
    for (const g of this.groups) {
      const stored = new Set(g.roots.map((t) => t.node));
      for (const n of g.nodes) if (!isTrivial(n) && !stored.has(n)) inside.add(n);
    }
    return inside;
  }

  merge(a: Part, b: Part): Edit | Refused {
    const what = [a.roots[0]!.node, b.roots[0]!.node];
    // A copy was made so as not to be kept: it must not move back to where the original is.
    if ((isCopy(a) || isCopy(b)) && Math.abs(placeOf(a) - placeOf(b)) > distance) {
      return { rule: "cost", refused: "one of them is recomputed late so as not to be kept" };
    }
    const nodes = new Set([...a.nodes, ...b.nodes]);
    const roots = [...a.roots, ...b.roots].filter((t) =>
      this.candidates.wanted.has(t.key) || this.#readersOf(t).some((g) => g !== a && g !== b)
    ).sort((x, y) => x.node.id - y.node.id || x.result - y.result);
    const merged = { roots, nodes };
    const again = (plan: Plan) => plan.merge(a, b);
    return this.candidates.refusalOf(merged) ?? { kind: "merge", what, remove: [a, b], add: [merged], again };
  }

  inline(root: Tensor): Edit | Refused {
    const { node } = root;
    const home = this.#homes.get(root.key);
    if (!home) return { rule: "dependency", refused: "it is stored nowhere" };
    const readers = this.#readersOf(root);
    if (this.candidates.wanted.has(root.key)) return { rule: "demand", refused: "it is an output" };
    if (isProgramNode(node)) {
      return { rule: "program", refused: `${node.op.name} brings kernels of its own` };
    }
    if (node.op.barrier) return { rule: "hint", refused: "noFuse: it is wanted in memory" };
    if (this.candidates.hinted.has(node)) return { rule: "hint", refused: "fuse: it belongs to a kernel" };
    const made = below(node, home.nodes);
    const add: Part[] = [];
    for (const reader of readers) {
      const grown = { roots: reader.roots, nodes: new Set([...reader.nodes, ...made]) };
      const refused = this.candidates.refusalOf(grown);
      if (refused) return refused;
      add.push(grown);
    }
    const rest = home.roots.filter((t) => t.key !== root.key);
    if (rest.length > 0) add.push({ roots: rest, nodes: belowAll(rest, home.nodes) });
    const again = (plan: Plan) => plan.inline(root);
    return { kind: "inline", what: [node], remove: [home, ...readers], add, again };
  }

  store(node: Node): Edit | Refused {
    if (this.candidates.hinted.has(node)) return { rule: "hint", refused: "fuse: it belongs to a kernel" };
    const results = resultsOf(node);
    if (results.length > 1) return { rule: "iteration space", refused: "an op of several results" };
    const homes = this.groups.filter((g) => g.nodes.has(node) && !g.roots.some((t) => t.node === node));
    if (homes.length === 0) return { rule: "dependency", refused: "it is computed in place nowhere" };
    const add: Part[] = homes.map((g) => {
      const nodes = new Set(g.nodes);
      nodes.delete(node);
      return { roots: g.roots, nodes: belowAll(g.roots, nodes) };
    });
    if (!this.#homes.has(results[0]!.key)) {
      add.push({ roots: results, nodes: below(node, homes[0]!.nodes) });
    }
    for (const g of add) {
      const refused = this.candidates.refusalOf(g);
      if (refused) return refused;
    }
    return { kind: "store", what: [node], remove: homes, add, again: (plan) => plan.store(node) };
  }

  #readersOf(t: Tensor): readonly Part[] {
    return this.#readers.get(t.key) ?? [];
  }

  /** For each tensor, the groups that store or load it. */
  *#sharing(): Iterable<readonly Part[]> {
    const seen = new Set<string>();
    for (const g of this.groups) {
      for (const t of [...g.roots, ...loadsOnce(g)]) {
        if (seen.has(t.key)) continue;
        seen.add(t.key);
        const home = this.#homes.get(t.key);
        const list = home ? [home, ...this.#readersOf(t)] : this.#readersOf(t);
        // One number that many read (a learning rate) makes no neighbors of them.
        if (list.length > mostPairs && elementsOf(t) <= 1) continue;
        if (list.length > 1) yield list;
      }
    }
  }
}

function* legal(edit: Edit | Refused): Iterable<Edit> {
  if (!isRefused(edit)) yield edit;
}

/** What no policy has decided: every atom a kernel of its own. */
export const apart = (candidates: Candidates): Plan =>
  new Plan(candidates, candidates.cover(candidates.atoms.map((_, i) => [i])).groups);

/** A node and what a group computes for it. */
function below(node: Node, nodes: ReadonlySet<Node>): Set<Node> {
  const found = new Set<Node>();
  const stack = [node];
  for (let n = stack.pop(); n; n = stack.pop()) {
    if (found.has(n) || !nodes.has(n) || isLeaf(n)) continue;
    found.add(n);
    for (const t of n.inputs) stack.push(t.node);
  }
  return found;
}

function belowAll(roots: readonly Tensor[], nodes: ReadonlySet<Node>): Set<Node> {
  const found = new Set<Node>();
  for (const t of roots) for (const n of below(t.node, nodes)) found.add(n);
  return found;
}

const isCopy = (g: Part): boolean => g.roots.some((t) => t.node.instance > 0);

const placeOf = (g: Part): number => g.roots.reduce((n, t) => Math.max(n, t.node.id), 0);
