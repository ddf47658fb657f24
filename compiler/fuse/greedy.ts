/**
 * The greedy policy, in two sweeps.
 *
 *   inline   consumers first: a node is computed where it is used if that is legal and worthwhile in *every* group that
 *            uses it; else it is stored, and becomes the root of a group of its own. So a consumer pulls in what it can:
 *            epilogues, prologues, chains, and row scalars all come about in this one sweep.
 *   merge    groups of the same iteration space that share memory become one kernel with several results, where no path
 *            leads from one to the other through a third. A group that still binds too many buffers is split.
 *
 * The diamond that makes fusion hard: a → b, a → c, b → d, c → d. Storing `a` and fusing b, c, d is fine; fusing a with
 * d while b is stored is a cycle. The first sweep cannot make one, since a group is rooted at one stored node and reads
 * only nodes before it; the second checks.
 */

import { counted } from "../counted.ts";
import { consumersOf, demanded, type Graph, resultsOf } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import type { Tensor } from "../graph/node.ts";
import {
  type Cover,
  type Decision,
  type Group,
  isFree,
  isLeaf,
  isProgramNode,
  isTrivial,
  loadsOf,
  storedResults,
} from "./group.ts";
import { requiredGroups } from "./hints.ts";
import { bindingsOf, expectedStorage } from "./expected_storage.ts";
import { Judge } from "./judge.ts";
import type { Accepted } from "./legal.ts";
import { isRefused, type Refused, type Rule, tooManyBuffers } from "./reason.ts";
import { splitToLimit } from "./split.ts";
import { mergeGroups } from "./merge.ts";
import type { FusionOptions } from "./policy.ts";
import { OwnWorks } from "./own_work.ts";
import { bytesOfNode, type CostModel, elements, elementsOf } from "./worthwhile.ts";

/** A group being grown: one stored node and what it computes for it. */
interface Growing {
  readonly root: Node;
  readonly roots: readonly Tensor[];
  readonly nodes: Set<Node>;
  /** What it reads and does not compute, so far. */
  readonly loads: Map<string, Tensor>;
  /** Only writes states. */
  readonly update: boolean;
  /** What legal.ts last said; elementwise nodes that came since change nothing about it. */
  accepted: Accepted | undefined;
}

export function greedy(graph: Graph, options: FusionOptions): Cover {
  const { cost, limits, apart } = options;
  const users = consumersOf(graph);
  const wanted = demanded(graph);
  const written = new Set(graph.writes.map((w) => w.value.key));
  const growing: Growing[] = [];
  /** The groups that compute a node. */
  const homes = new Map<Node, Set<Growing>>();
  const decisions: Decision[] = [];
  const works = new OwnWorks();
  const storage = expectedStorage(graph, apart);
  const judge = new Judge(Infinity, storage);

  const store = (node: Node) => {
    const results = storedResults(node, users, wanted);
    // Results of different shapes have different iteration spaces; a program's kernels see to that themselves.
    const shapes = isProgramNode(node) ? ["all"] : [...new Set(results.map((t) => t.shape.join()))];
    const groups = shapes.map((shape): Growing => {
      const roots = results.filter((t) => shape === "all" || t.shape.join() === shape);
      return {
        root: node,
        roots,
        nodes: new Set([node]),
        loads: new Map(node.inputs.map((t) => [t.key, t])),
        update: roots.every((t) => written.has(t.key)),
        accepted: undefined,
      };
    });
    growing.push(...groups);
    homes.set(node, new Set(groups));
  };

  // What was asked for is not weighed: these groups stand, and others may only be computed within them.
  for (const { roots, nodes } of requiredGroups(graph, users, judge)) {
    const loads = new Map(loadsOf({ nodes }).map((t) => [t.key, t]));
    const group: Growing = {
      root: roots.at(-1)!.node,
      roots,
      nodes: new Set(nodes),
      loads,
      update: false,
      accepted: undefined,
    };
    growing.push(group);
    for (const node of nodes) if (!isTrivial(node)) homes.set(node, new Set([group]));
  }
  const required = new Set(homes.keys());

  for (const node of [...graph.nodes].reverse()) {
    if (isLeaf(node) || required.has(node)) continue;
    const into = new Set<Growing>();
    for (const user of users.get(node) ?? []) for (const g of homes.get(user) ?? []) into.add(g);
    const results = storedResults(node, users, wanted);
    if (results.length === 0) continue;
    const refusal = mustBeStored(node, results.some((t) => wanted.has(t.key)));
    const decision = refusal === undefined
      ? decide(node, [...into], users, cost, limits.storageBuffers, works, judge)
      : undefined;
    if (decision?.fuse) {
      for (const g of into) {
        g.nodes.add(node);
        for (const t of resultsOf(node)) g.loads.delete(t.key);
        for (const t of node.inputs) if (!g.nodes.has(t.node)) g.loads.set(t.key, t);
        g.accepted = decision.accepted.get(g) ?? g.accepted;
      }
      homes.set(node, into);
    } else store(node);
    for (const g of into) {
      decisions.push({
        fuse: decision?.fuse ?? false,
        node,
        into: g.root,
        because: refusal?.refused ?? decision!.because,
        rule: refusal?.rule ?? decision!.rule,
        ...decision?.refusedBy && { refusedBy: decision.refusedBy },
        bytes: decision?.bytes ?? 0,
        flops: decision?.flops ?? 0,
      });
    }
  }
  const grown: Group[] = growing.reverse().map((g, id) => ({ id, roots: g.roots, nodes: g.nodes }));
  const merged = mergeGroups(graph, { groups: grown, decisions }, options);
  // After merging, which frees operands of groups that have too many; what is cut off may find another home.
  const split = splitToLimit(merged, users, { limit: limits.storageBuffers, storage, wanted });
  return split === merged ? merged : mergeGroups(graph, split, options);
}

/** Why a node is stored, whatever its users would like. */
function mustBeStored(node: Node, isWanted: boolean): Refused | undefined {
  if (isWanted) return { rule: "demand", refused: "it is an output" };
  if (isProgramNode(node)) return { rule: "program", refused: "it is a program" };
  if (node.op.barrier) return { rule: "hint", refused: "noFuse: it is wanted in memory" };
  return undefined;
}

interface Verdict {
  readonly fuse: boolean;
  readonly because: string;
  readonly rule: Rule;
  readonly bytes: number;
  readonly flops: number;
  readonly accepted: ReadonlyMap<Growing, Accepted>;
  readonly refusedBy?: Node;
}

/** Is every input, views apart, computed for this node alone? */
function partsAreFree(node: Node, users: ReadonlyMap<Node, readonly Node[]>): boolean {
  return node.inputs.every((input) => {
    let source = input;
    for (;;) {
      if (isLeaf(source.node)) return false;
      const readers = (users.get(source.node) ?? []).filter((u) =>
        u.inputs.some((t) => t.key === source.key)
      );
      if (readers.length > 1) return false;
      if (!source.node.op.view) return true;
      source = source.node.inputs[0]!;
    }
  });
}

function decide(
  node: Node,
  into: readonly Growing[],
  users: ReadonlyMap<Node, readonly Node[]>,
  cost: CostModel,
  storageBuffers: number,
  works: OwnWorks,
  judge: Judge,
): Verdict {
  const accepted = new Map<Growing, Accepted>();
  const no = (rule: Rule, because: string, bytes = 0, flops = 0): Verdict => ({
    fuse: false,
    because,
    rule,
    bytes,
    flops,
    accepted,
  });
  const size = elements(node);
  const nodeBytes = bytesOfNode(node);
  let repeated = 0;
  let moreLoads = 0;
  let prologue = false;
  if (!isTrivial(node) && works.of(node).joins && partsAreFree(node, users)) {
    return no("cost", "its parts are used nowhere else and can be born inside it: storing it costs nothing");
  }
  for (const g of into) {
    if (isProgramNode(g.root)) {
      if (!isTrivial(node)) {
        return no(
          "program",
          `${g.root.op.name} reads its inputs many times: only views are computed in place`,
        );
      }
      continue;
    }
    if (g.update && reduces(node)) {
      return no(
        "cost",
        "updates of states stay plain maps, so that those of all parameters are packed into one kernel",
      );
    }
    // What comes before this node in the graph is not decided yet and may still be computed in place.
    const certain = bindingsOf([
      ...g.roots,
      ...[...g.loads.values()].filter((t) => isLeaf(t.node) || t.node.id > node.id),
      ...node.inputs.filter((t) => isLeaf(t.node)),
    ], judge.storage);
    if (certain > storageBuffers) {
      const { rule, refused } = tooManyBuffers(certain, storageBuffers);
      return { ...no(rule, refused), refusedBy: g.root };
    }
    const known = g.accepted;
    // Counting along one of several axes may make a row of what was one for each of them.
    if (isFree(node) && known && (node.op.name !== "iota" || known.kind === "map")) continue;
    const work = works.of(node);
    const space = g.roots.reduce((n, t) => Math.max(n, elementsOf(t)), 1);
    if (known && known.kind !== "contraction" && work.elementwise) {
      accepted.set(g, known);
      if (known.kind === "map" && space > size) repeated += work.flops * (space - size);
    } else {
      const nodes = new Set(g.nodes).add(node);
      const { verdict, prologue: inside, depth } = judge.judge({ roots: g.roots, nodes }, node);
      if (isRefused(verdict)) return { ...no(verdict.rule, verdict.refused), refusedBy: g.root };
      accepted.set(g, verdict);
      if (isTrivial(node)) continue;
      if (inside) {
        prologue = true;
        repeated += work.flops * (space * depth / cost.tileColumns - size);
      } else if (verdict.kind === "map" && space > size) repeated += work.flops * (space - size);
    }
    // What the group would load more, and the node's own load less.
    for (const input of node.inputs) {
      if (!g.loads.has(input.key) && elements(input.node) > 1) {
        moreLoads += Math.min(bytesOfNode(input.node), space * 4);
      }
    }
  }
  if (into.length > 1 && !isTrivial(node)) {
    if (reduces(node)) {
      const contraction = into.some((g) => accepted.get(g)?.kind === "contraction");
      if (contraction) {
        return no("recomputation", `a contraction would be computed ${counted(into.length, "time")}`);
      }
    }
    if (prologue && scalarsOf(node)) {
      return no(
        "recomputation",
        "the reductions it is made of must be stored if this is not, and contractions would repeat it",
      );
    }
    if (anchored(node, users)) {
      return no(
        "recomputation",
        `its operand must be stored if this is not, and is as large: one write instead of ${into.length} repeats`,
      );
    }
  }
  const inputs = node.inputs.reduce((n, t) => n + bytesOfNode(t.node), 0);
  const saved = nodeBytes * (1 + into.length) + inputs + cost.bytesPerDispatch - moreLoads;
  const extra = Math.max(0, repeated) / cost.flopsPerByte;
  if (isTrivial(node)) {
    return {
      fuse: true,
      because: "a view costs nothing",
      rule: "cost",
      bytes: nodeBytes,
      flops: 0,
      accepted,
    };
  }
  if (extra > saved) {
    return no(
      "cost",
      `would repeat ${Math.round(repeated)} operations to save ${Math.round(saved)} bytes`,
      saved,
      repeated,
    );
  }
  return {
    fuse: true,
    because: into.length > 1
      ? `cheap enough to compute in ${into.length} places`
      : "saves a write and a read",
    rule: "cost",
    bytes: saved,
    flops: Math.max(0, repeated),
    accepted,
  };
}

/** Is the node computed elementwise from reductions smaller than itself (a softmax, a norm)? */
function scalarsOf(node: Node): boolean {
  const size = elements(node);
  const seen = new Set<Node>();
  const stack = node.inputs.map((t) => t.node);
  for (let n = stack.pop(); n; n = stack.pop()) {
    if (seen.has(n) || isLeaf(n) || isProgramNode(n)) continue;
    seen.add(n);
    if (reduces(n)) {
      if (elements(n) < size) return true;
      continue;
    }
    stack.push(...n.inputs.map((t) => t.node));
  }
  return false;
}

/** Does the op itself reduce: sum over terms, or give fewer elements than it reads? */
const reduces = (node: Node): boolean =>
  node.op.terms !== undefined ||
  (!node.op.view && node.inputs.some((t) => elements(t.node) > elements(node)));

/**
 * Is the node the end of a chain, used by nobody else, that starts at a contraction or reduction of its own size? Then
 * storing the chain's end is as cheap as storing its start, and the chain is not repeated.
 */
function anchored(node: Node, users: ReadonlyMap<Node, readonly Node[]>): boolean {
  const size = elements(node);
  const stack = [...node.inputs.map((t) => t.node)];
  while (stack.length > 0) {
    const source = stack.pop()!;
    if (isLeaf(source) || (users.get(source)?.length ?? 0) > 1 || elements(source) < size) continue;
    if (reduces(source) || isProgramNode(source)) return true;
    stack.push(...source.inputs.map((t) => t.node));
  }
  return false;
}
