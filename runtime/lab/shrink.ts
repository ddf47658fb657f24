/**
 * Shrinking: the smallest case that one finds, within a budget, of which something still holds.
 *
 * Delta debugging on a graph. Each step makes a simpler case; those that remove most are tried first, the first that still
 * fails is taken, and all begins again, until no step is left. Fewer results, then fewer nodes (a result becomes a fed
 * input with the numbers it had; an operand stands for what was made of it), then smaller sizes, then simpler numbers.
 * @module
 */

import { isFloat, roundTo, type StoredArray, storedArray } from "../../compiler/graph/dtype.ts";
import { consumersOf, inputName } from "../../compiler/graph/graph.ts";
import { type Node, showType, Tensor } from "../../compiler/graph/node.ts";
import { evaluateGraph } from "../../compiler/reference/evaluate.ts";
import { inputOp, stateOp } from "../../ops/leaves.ts";
import { type Case, changed } from "./case.ts";
import { hostFeeds } from "./judge.ts";

export interface ShrinkOptions {
  /** Seconds that it may take. Default 20. */
  readonly seconds?: number;
  /** Cases that it may try. Default 600. */
  readonly tries?: number;
  readonly signal?: AbortSignal;
}

export interface Shrunk {
  readonly case: Case;
  readonly tries: number;
  /** No step was left; else the budget ended first. */
  readonly minimal: boolean;
}

/** @param holds Whether a simpler case still shows what is looked for. */
export async function shrink(
  first: Case,
  holds: (c: Case) => Promise<boolean>,
  { seconds = 20, tries: most = 600, signal }: ShrinkOptions = {},
): Promise<Shrunk> {
  const end = performance.now() + 1000 * seconds;
  const seen = new Set<string>();
  let [best, tries] = [first, 0];
  for (;;) {
    let found: Case | undefined;
    for (const simpler of simplerCases(best)) {
      if (simpler === undefined || complexity(simpler) >= complexity(best)) continue;
      const key = keyOf(simpler);
      if (seen.has(key)) continue;
      seen.add(key);
      if (tries === most || performance.now() > end || signal?.aborted) {
        return { case: best, tries, minimal: false };
      }
      tries++;
      if (await holds(simpler)) {
        found = simpler;
        break;
      }
    }
    if (found === undefined) return { case: best, tries, minimal: true };
    best = found;
  }
}

/** Fewer nodes are simpler than fewer elements, and these than shorter numbers. */
function complexity({ graph, feeds, states }: Case): number {
  const demands = Object.keys(graph.outputs).length + 2 * graph.writes.length;
  const arrays = [...Object.values(feeds), ...Object.values(states)];
  let [elements, digits] = [0, 0];
  for (const array of arrays) {
    elements += array.length;
    for (const x of array) digits += weightOf(x);
  }
  for (const node of graph.nodes) for (const { shape } of node.types) elements += shape.length;
  return 1e12 * (graph.nodes.length + demands + graph.states.length) + 1e4 * elements + digits;
}

const weightOf = (x: number): number =>
  x === 0 ? 0 : x === 1 ? 0.5 : Number.isInteger(x) ? 1 : Number.isInteger(4 * x) ? 2 : 3;

function keyOf({ graph, feeds, states }: Case): string {
  const nodes = graph.nodes.map((n) =>
    `${n.op.name}(${n.inputs.map((t) => t.key)})${JSON.stringify(n.attrs)}${n.types.map(showType)}`
  );
  const outputs = Object.values(graph.outputs).map((t) => t.key);
  const writes = graph.writes.map((w) => `${w.state.key}=${w.value.key}`);
  const arrays = [...Object.values(feeds), ...Object.values(states)].map((array) => hashOf(array));
  return [nodes, outputs, writes, arrays].join(";");
}

function hashOf(array: StoredArray): string {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b) + a;
  }
  return `${array.length}:${a >>> 0}:${b >>> 0}`;
}

/** Cases with something less; undefined where the graph allowed no such step. */
function* simplerCases(c: Case): Iterable<Case | undefined> {
  yield* fewerResults(c);
  yield* fewerNodes(c);
  yield* fewerInputs(c);
  yield* smallerSizes(c);
  yield* simplerNumbers(c);
}

const isLeaf = ({ op }: Node): boolean => op === inputOp || op === stateOp;

function* fewerResults(c: Case): Iterable<Case | undefined> {
  const outputs = Object.entries(c.graph.outputs);
  const { writes } = c.graph;
  if (outputs.length + writes.length > 1) {
    for (const output of outputs) yield changed(c, { outputs: Object.fromEntries([output]), writes: [] });
    for (const write of writes) yield changed(c, { outputs: {}, writes: [write] });
    // What goes wrong may take two of them.
    for (const [name] of outputs) {
      yield changed(c, { outputs: Object.fromEntries(outputs.filter(([other]) => other !== name)) });
    }
    for (const write of writes) yield changed(c, { writes: writes.filter((other) => other !== write) });
  }
  // A new value need not be written to be wrong.
  for (const { value } of writes) {
    if (!isLeaf(value.node)) yield changed(c, { outputs: { ...c.graph.outputs, y: value }, writes: [] });
  }
}

function* fewerNodes(c: Case): Iterable<Case | undefined> {
  const { graph, states } = c;
  const values = valuesOf(c);
  const written = new Set(graph.writes.map((w) => w.state.node));
  for (const { tensor, path } of graph.states) {
    if (!written.has(tensor.node)) yield changed(c, { fed: new Map([[tensor.node, [states[path]!]]]) });
  }
  const own = graph.nodes.filter((node) => !isLeaf(node));
  // An earlier node as the only result: what is wrong further down may be wrong there.
  const [only, ...others] = Object.entries(graph.outputs);
  if (only !== undefined && others.length === 0 && graph.writes.length === 0) {
    for (const node of own) {
      for (const [result] of node.types.entries()) {
        const t = new Tensor(node, result);
        if (t.key !== only[1].key) yield changed(c, { outputs: { [only[0]]: t } });
      }
    }
  }
  // All that the last nodes need, at once; then one after the other, those near the results first.
  const users = consumersOf(graph);
  const roots = new Set(
    [...Object.values(graph.outputs), ...graph.writes.map((w) => w.value)].map((t) => t.node),
  );
  const producers = own.filter((node) =>
    !roots.has(node) && (users.get(node) ?? []).some((u) => roots.has(u))
  );
  const fedBy = (nodes: readonly Node[]) =>
    changed(c, { fed: new Map(nodes.map((n) => [n, values.get(n)!])) });
  if (producers.length > 1) yield fedBy(producers);
  for (const node of own.toReversed()) if (!roots.has(node)) yield fedBy([node]);
  for (const node of own.toReversed()) {
    for (const [i, operand] of node.inputs.entries()) {
      if (node.types.length > 1 || showType(operand) !== showType(node.types[0]!)) continue;
      yield changed(c, { bypassed: new Map([[node, i]]) });
    }
  }
}

function* fewerInputs(c: Case): Iterable<Case | undefined> {
  const { inputs } = c.graph;
  for (const from of inputs) {
    for (const into of inputs) {
      if (from !== into && showType(from) === showType(into)) {
        yield changed(c, { merged: [from.node, into.node] });
      }
    }
  }
}

/** What each node gives, in its stored type. */
function valuesOf(c: Case): ReadonlyMap<Node, readonly StoredArray[]> {
  const found = new Map<Node, readonly StoredArray[]>();
  evaluateGraph(
    [...Object.values(c.graph.outputs), ...c.graph.writes.map((w) => w.value)],
    hostFeeds(c),
    (node, results) => {
      found.set(
        node,
        results.map((result, i) => {
          const { dtype } = node.types[i]!;
          const array = storedArray(dtype, result.length);
          for (let e = 0; e < array.length; e++) array[e] = roundTo(dtype, result[e]!);
          return array;
        }),
      );
      return results;
    },
  );
  return found;
}

function* smallerSizes(c: Case): Iterable<Case | undefined> {
  const sizes = new Set(
    c.graph.nodes.flatMap((node) => node.types.flatMap((t) => t.shape as readonly number[])),
  );
  for (const from of [...sizes].sort((a, b) => b - a)) {
    for (const to of new Set([1, 2, Math.ceil(from / 2), from - 4, from - 1])) {
      if (to > 0 && to < from) yield changed(c, { extent: [from, to] });
    }
  }
}

function* simplerNumbers(c: Case): Iterable<Case | undefined> {
  for (const t of c.graph.inputs) {
    const name = inputName(t);
    const array = c.feeds[name]!;
    const as = (f: (x: number, i: number) => number) => {
      const made = storedArray(t.dtype, array.length);
      for (let i = 0; i < array.length; i++) made[i] = roundTo(t.dtype, f(array[i]!, i));
      return changed(c, { feeds: { [name]: made } });
    };
    yield as(() => 0);
    yield as(() => 1);
    if (!isFloat(t.dtype)) continue;
    yield as((x) => Number.isFinite(x) ? Math.round(x) : x);
    yield as((x) => Number.isFinite(x) ? Math.round(4 * x) / 4 : x);
    const half = array.length >> 1;
    if (half > 0) {
      yield as((x, i) => i < half ? 0 : x);
      yield as((x, i) => i < half ? x : 0);
    }
    if (array.length > 16) continue;
    for (let at = 0; at < array.length; at++) if (array[at] !== 0) yield as((x, i) => i === at ? 0 : x);
  }
}
