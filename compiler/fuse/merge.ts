/**
 * Second sweep of the greedy policy: kernels with several results.
 *
 * Two groups become one if they have the same iteration space, share memory (one reads what the other reads or stores),
 * fit the binding limit together, and no path leads from one to the other through a third group. What one of them stored
 * for the other alone is then no result any more: a row's scalars stay in the kernel that needs them.
 */

import { demanded, type Graph } from "../graph/graph.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { deviceBytes } from "../graph/dtype.ts";
import { type Cover, type Decision, type Group, isProgramNode, loadsOf } from "./group.ts";
import { bindingsOf, expectedStorage } from "./expected_storage.ts";
import { Judge } from "./judge.ts";
import { isRefused, type Rule, tooManyBuffers } from "./reason.ts";
import type { FusionOptions } from "./policy.ts";
import { distance } from "./rematerialize.ts";
import { elementsOf } from "./worthwhile.ts";

interface Live {
  roots: Group["roots"];
  nodes: ReadonlySet<Node>;
  loads: readonly Tensor[];
  space: string;
  /** Only writes states: kept a plain map, so that the updates of all parameters can be packed into one kernel. */
  readonly update: boolean;
  dead: boolean;
}

export function mergeGroups(graph: Graph, cover: Cover, { limits, apart }: FusionOptions): Cover {
  const judge = new Judge(Infinity, expectedStorage(graph, apart));
  const wanted = demanded(graph);
  const written = new Set(graph.writes.map((w) => w.value.key));
  const live: Live[] = cover.groups.map((g) => ({
    ...g,
    loads: loadsOf(g),
    space: spaceOf(g, judge),
    update: g.roots.every((t) => written.has(t.key)),
    dead: false,
  }));
  const decisions: Decision[] = [...cover.decisions];
  /** Pairs that were refused, as they were then. */
  const refused = new Map<Live, Map<Live, number>>();
  const size = (a: Live, b: Live) => a.nodes.size + b.nodes.size;
  let changed = true;
  while (changed) {
    changed = false;
    const home = homes(live);
    for (const { a, b, bytes } of candidates(live, home)) {
      if (a.dead || b.dead || refused.get(a)?.get(b) === size(a, b)) continue;
      const into = a.roots[0]!.node;
      const node = b.roots[0]!.node;
      const note = (fuse: boolean, rule: Rule, because: string) => {
        decisions.push({ fuse, node, into, because, rule, bytes, flops: 0 });
        if (!fuse) refused.set(a, (refused.get(a) ?? new Map<Live, number>()).set(b, size(a, b)));
      };
      if (connected(a, b, home) || connected(b, a, home)) {
        note(false, "cycle", "a third kernel needs the result of one and feeds the other");
        continue;
      }
      const nodes = new Set([...a.nodes, ...b.nodes]);
      const kept = [...nodes].find((n) =>
        n.op.barrier && [...nodes].some((u) => u.inputs.some((t) => t.node === n))
      );
      if (kept) {
        note(false, "hint", "noFuse: it is wanted in memory");
        continue;
      }
      const roots = [...a.roots, ...b.roots].filter((t) => wanted.has(t.key) || isRead(t, live, a, b))
        .sort((x, y) => x.node.id - y.node.id || x.result - y.result);
      const bindings = bindingsOf([...loadsOf({ nodes }), ...roots], judge.storage);
      if (bindings > limits.storageBuffers) {
        const { rule, refused } = tooManyBuffers(bindings, limits.storageBuffers);
        note(false, rule, refused);
        continue;
      }
      const { verdict } = judge.judge({ roots, nodes });
      if (isRefused(verdict)) {
        note(false, verdict.rule, verdict.refused);
        continue;
      }
      const repeated = [...a.roots, ...b.roots].find((t) => judge.judge({ roots, nodes }, t.node).prologue);
      if (repeated) {
        note(
          false,
          "recomputation",
          `${repeated.node.op.name} would be repeated inside the loop of a contraction`,
        );
        continue;
      }
      note(
        true,
        "cost",
        roots.length < a.roots.length + b.roots.length
          ? "what one stores for the other alone stays inside the kernel"
          : "one kernel with several results reads shared memory once",
      );
      b.dead = true;
      a.roots = roots;
      a.nodes = nodes;
      a.loads = loadsOf(a);
      a.space = verdict.space;
      for (const root of roots) home.set(root.key, a);
      changed = true;
    }
  }
  const groups = order(live.filter((g) => !g.dead)).map((g, id) => ({ id, roots: g.roots, nodes: g.nodes }));
  return { groups, decisions };
}

function spaceOf(group: Group, judge: Judge): string {
  if (isProgramNode(group.roots[0]!.node)) return `program ${group.id}`;
  const { verdict } = judge.judge(group);
  return isRefused(verdict) ? `alone ${group.id}` : verdict.space;
}

const homes = (live: readonly Live[]): Map<string, Live> => {
  const home = new Map<string, Live>();
  for (const g of live) if (!g.dead) { for (const root of g.roots) home.set(root.key, g); }
  return home;
};

/** Does anybody but these two load the tensor? */
const isRead = (t: Tensor, live: readonly Live[], a: Live, b: Live): boolean =>
  live.some((g) => !g.dead && g !== a && g !== b && g.loads.some((l) => l.key === t.key));

/** Pairs that share memory, the most bytes first. */
function candidates(
  live: readonly Live[],
  home: ReadonlyMap<string, Live>,
): { a: Live; b: Live; bytes: number }[] {
  const readers = new Map<string, Set<Live>>();
  for (const g of live) {
    if (g.dead) continue;
    for (const t of [...g.loads, ...g.roots]) {
      let set = readers.get(t.key);
      if (!set) readers.set(t.key, set = new Set());
      set.add(g);
    }
  }
  const position = new Map(live.map((g, i) => [g, i]));
  const pairs = new Map<string, { a: Live; b: Live; bytes: number }>();
  for (const [key, set] of readers) {
    const list = [...set];
    for (let i = 0; i < list.length; i++) {
      for (let j = i + 1; j < list.length; j++) {
        const [a, b] = [list[i]!, list[j]!];
        if (!mayShare(a, b)) continue;
        const id = `${position.get(a)},${position.get(b)}`;
        let pair = pairs.get(id);
        if (!pair) pairs.set(id, pair = { a, b, bytes: 0 });
        pair.bytes += bytesOfKey(key, a, b, home);
      }
    }
  }
  // A few shared numbers (a learning rate) are no reason: a quarter of the smaller one's traffic is.
  return [...pairs.values()].filter((p) => p.bytes * 4 >= Math.min(traffic(p.a), traffic(p.b))).sort((x, y) =>
    y.bytes - x.bytes
  );
}

const bytesOf = (t: Tensor): number => elementsOf(t) * deviceBytes(t.dtype);

const traffic = (g: Live): number => [...g.loads, ...g.roots].reduce((n, t) => n + bytesOf(t), 0);

function bytesOfKey(key: string, a: Live, b: Live, home: ReadonlyMap<string, Live>): number {
  const tensor = home.get(key)?.roots.find((t) => t.key === key) ??
    [...a.loads, ...b.loads].find((t) => t.key === key)!;
  return bytesOf(tensor);
}

const isCopy = (g: Live): boolean => g.roots.some((t) => t.node.instance > 0);

const placeOf = (g: Live): number => g.roots.reduce((n, t) => Math.max(n, t.node.id), 0);

/** Kinds that one kernel can serve: equal spaces, or a map as long as a row. */
function mayShare(a: Live, b: Live): boolean {
  if (a.update !== b.update && a.space !== "map []") return false;
  // A copy was made so as not to be kept: it must not move back to where the original is.
  if ((isCopy(a) || isCopy(b)) && Math.abs(placeOf(a) - placeOf(b)) > distance) return false;
  if (a.space === b.space) return true;
  if (a.update) return false;
  const kinds = [a.space.split(" ")[0], b.space.split(" ")[0]];
  if (kinds.includes("contraction") && (kinds.includes("column") || kinds.includes("row"))) return true; // riders
  return kinds.includes("map") && (kinds.includes("row") || kinds.includes("contraction"));
}

/** Is there a path from a to b that leaves both? */
function connected(a: Live, b: Live, home: ReadonlyMap<string, Live>): boolean {
  // Backwards from b: what it needs, and what that needs, until a is met.
  const seen = new Set<Live>([b]);
  const stack: Live[] = [];
  const push = (g: Live, direct: boolean) => {
    for (const t of g.loads) {
      const producer = home.get(t.key);
      if (!producer || seen.has(producer)) continue;
      if (producer === a) {
        if (!direct) return true;
        continue;
      }
      seen.add(producer);
      stack.push(producer);
    }
    return false;
  };
  if (push(b, true)) return true;
  for (let g = stack.pop(); g; g = stack.pop()) if (push(g, false)) return true;
  return false;
}

/** Producers before consumers, otherwise in the graph's order. */
function order(groups: readonly Live[]): Live[] {
  const home = homes(groups);
  const done = new Set<Live>();
  const out: Live[] = [];
  const visit = (g: Live) => {
    if (done.has(g)) return;
    done.add(g);
    for (const t of g.loads) {
      const producer = home.get(t.key);
      if (producer && producer !== g) visit(producer);
    }
    out.push(g);
  };
  for (const g of [...groups].sort((a, b) => a.roots[0]!.node.id - b.roots[0]!.node.id)) visit(g);
  return out;
}
