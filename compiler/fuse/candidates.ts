/**
 * The legal candidates of a graph: what a policy that thinks in *partitions* chooses from.
 *
 * An *atom* is what a partition cannot divide: one op that is any work, or all the ops of one `fuse(…)`. Views and
 * numbers known while compiling are no atoms; they are computed wherever they are read. A *part* is a set of atoms, and
 * says everything about its kernel: it computes them, and stores what atoms outside it read. So its legality and its
 * cost are functions of the part alone, whatever becomes of the rest.
 *
 * Two atoms are *neighbors* if they share memory: one reads what the other gives, or both read the same tensor.
 */

import { consumersOf, demanded, type Graph, resultsOf } from "../graph/graph.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { bindingsOf, type ExpectedStorage, expectedStorage } from "./expected_storage.ts";
import { type Cover, type Group, isLeaf, isProgramNode, isTrivial, loadsOf } from "./group.ts";
import { requiredGroups } from "./hints.ts";
import { Judge } from "./judge.ts";
import { Estimates } from "./plan_cost.ts";
import type { FusionOptions } from "./policy.ts";
import { isRefused, type Refused, tooManyBuffers } from "./reason.ts";
import { isRunnable, orderGroups } from "./order_groups.ts";

/** Positions in `Candidates.atoms`, ascending. */
export type Part = readonly number[];

export class Candidates {
  /** In an order in which they could run, each a kernel of its own. */
  readonly atoms: readonly (readonly Node[])[];
  /** For each atom, the atoms whose results it reads. */
  readonly producers: readonly ReadonlySet<number>[];
  /** For each atom, those that it shares memory with. */
  readonly neighbors: readonly ReadonlySet<number>[];
  readonly estimates: Estimates;
  readonly storage: ExpectedStorage;
  /** Nodes of a `fuse(…)`: they stay together. */
  readonly hinted: ReadonlySet<Node>;
  /** Results that must be in memory at the end. */
  readonly wanted: ReadonlySet<string>;
  /** The atoms that read a tensor, through views. */
  readonly #readers = new Map<string, Set<number>>();
  readonly #judge: Judge;
  readonly #atomOf = new Map<Node, number>();

  constructor(readonly graph: Graph, readonly options: FusionOptions) {
    const users = consumersOf(graph);
    this.wanted = demanded(graph);
    this.storage = expectedStorage(graph, options.apart);
    this.estimates = new Estimates(graph, options.cost, this.storage);
    this.#judge = new Judge(Infinity, this.storage);
    const fixed = requiredGroups(graph, users, this.#judge).map(({ nodes }) =>
      [...nodes].filter((n) => !isTrivial(n))
    );
    this.hinted = new Set(fixed.flat());
    const isAtom = (node: Node) =>
      !isLeaf(node) && (!isTrivial(node) || resultsOf(node).some((t) => this.wanted.has(t.key)));
    const single = graph.nodes.filter((n) => isAtom(n) && !this.hinted.has(n)).map((n) => [n]);
    this.atoms = inOrder([...single, ...fixed]);
    this.atoms.forEach((nodes, i) => nodes.forEach((n) => this.#atomOf.set(n, i)));
    const producers = this.atoms.map(() => new Set<number>());
    const neighbors = this.atoms.map(() => new Set<number>());
    this.atoms.forEach((nodes, i) => {
      for (const t of readThroughViews(nodes, (n) => this.#atomOf.has(n))) {
        const from = this.#atomOf.get(t.node);
        if (from === i) continue;
        if (from !== undefined) producers[i]!.add(from);
        const readers = this.#readers.get(t.key);
        if (readers) readers.add(i);
        else this.#readers.set(t.key, new Set([i]));
      }
    });
    const share = (a: number, b: number) => {
      neighbors[a]!.add(b);
      neighbors[b]!.add(a);
    };
    producers.forEach((set, i) => set.forEach((p) => share(p, i)));
    for (const set of this.#readers.values()) {
      const list = [...set];
      list.forEach((a, i) => list.slice(i + 1).forEach((b) => share(a, b)));
    }
    this.producers = producers;
    this.neighbors = neighbors;
  }

  /** The atom that computes a node; undefined of a leaf or a view. */
  atomOf(node: Node): number | undefined {
    return this.#atomOf.get(node);
  }

  /**
   * The groups of a part: one, but for a single op of several results whose shapes differ, which has one for each.
   */
  groupsOf(part: Part): readonly Omit<Group, "id">[] {
    const inside = new Set(part);
    const computed = part.flatMap((i) => this.atoms[i]!);
    const nodes = new Set(computed);
    const stack = computed.flatMap((n) => n.inputs);
    for (let t = stack.pop(); t; t = stack.pop()) {
      const { node } = t;
      if (nodes.has(node) || isLeaf(node) || this.#atomOf.has(node) || !isTrivial(node)) continue;
      nodes.add(node);
      stack.push(...node.inputs);
    }
    const roots = computed.sort((a, b) => a.id - b.id).flatMap((n) =>
      resultsOf(n).filter((t) => {
        if (isProgramNode(n) || this.wanted.has(t.key)) return true;
        return [...this.#readers.get(t.key) ?? []].some((i) => !inside.has(i));
      })
    );
    const shapes = new Set(roots.map((t) => t.shape.join()));
    const alone = computed.length === 1 && shapes.size > 1 && !isProgramNode(computed[0]!);
    return alone ? roots.map((t) => ({ roots: [t], nodes })) : [{ roots, nodes }];
  }

  /** Why a part cannot be one kernel, or undefined where it can. One atom always can. */
  refusal(part: Part): Refused | undefined {
    if (part.length < 2) return undefined;
    const [group] = this.groupsOf(part) as [Omit<Group, "id">];
    return this.refusalOf(group);
  }

  /** The same for any group, also one that computes what others compute too. */
  refusalOf(group: Omit<Group, "id">): Refused | undefined {
    for (const node of group.nodes) {
      if (isProgramNode(node)) {
        return { rule: "program", refused: `${node.op.name} brings kernels of its own` };
      }
      if (node.op.barrier && [...group.nodes].some((u) => u.inputs.some((t) => t.node === node))) {
        return { rule: "hint", refused: "noFuse: it is wanted in memory" };
      }
    }
    const bindings = bindingsOf([...loadsOf(group), ...group.roots], this.storage);
    const limit = this.options.limits.storageBuffers;
    if (bindings > limit) return tooManyBuffers(bindings, limit);
    const { verdict } = this.estimates.of(group);
    if (isRefused(verdict)) return verdict;
    if (verdict.kind !== "contraction" || group.roots.length < 2) return undefined;
    const repeated = group.roots.find((t) => this.#judge.judge(group, t.node).prologue);
    return repeated && {
      rule: "recomputation",
      refused: `${repeated.node.op.name} would be repeated inside the loop of a contraction`,
    };
  }

  /** Milliseconds that the model gives a part. */
  ms(part: Part): number {
    return this.groupsOf(part).reduce((sum, g) => sum + this.estimates.of(g).ms, 0);
  }

  /** Whether the parts of a partition can run in some order: no kernel needs, through others, what it computes itself. */
  isRunnable(parts: readonly Part[]): boolean {
    return isRunnable(parts.flatMap((part) => this.groupsOf(part)).filter((g) => g.roots.length > 0));
  }

  /** The cover of a partition: each atom in one part. */
  cover(parts: readonly Part[]): Cover {
    const groups = parts.flatMap((part) => this.groupsOf(part)).filter((g) => g.roots.length > 0);
    return { groups: orderGroups(groups), decisions: [] };
  }
}

/** What nodes read, looking through views: leaves, and results of atoms. */
export function readThroughViews(nodes: readonly Node[], isAtom: (node: Node) => boolean): Tensor[] {
  const found = new Map<string, Tensor>();
  const seen = new Set<Node>();
  const stack = nodes.flatMap((n) => n.inputs);
  for (let t = stack.pop(); t; t = stack.pop()) {
    if (isLeaf(t.node) || isAtom(t.node)) found.set(t.key, t);
    else if (!seen.has(t.node)) {
      seen.add(t.node);
      stack.push(...t.node.inputs);
    }
  }
  return [...found.values()];
}

/** Atoms sorted so that each comes after what it reads; several nodes of a hint may span much of the graph. */
function inOrder(atoms: readonly (readonly Node[])[]): readonly (readonly Node[])[] {
  const home = new Map(atoms.flatMap((nodes) => nodes.map((n) => [n, nodes] as const)));
  const done = new Set<readonly Node[]>();
  const out: (readonly Node[])[] = [];
  const visit = (nodes: readonly Node[]): void => {
    if (done.has(nodes)) return;
    done.add(nodes);
    for (const t of readThroughViews(nodes, (n) => home.has(n))) {
      const from = home.get(t.node);
      if (from) visit(from);
    }
    out.push(nodes);
  };
  for (const nodes of [...atoms].sort((a, b) => a[0]!.id - b[0]!.id)) visit(nodes);
  return out;
}
