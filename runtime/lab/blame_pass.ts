/**
 * Which pass changed what a graph means: told by the references alone, without a device.
 * @module
 */

import type { CostModel } from "../../compiler/fuse/worthwhile.ts";
import { type GraphPass, passes } from "../../compiler/passes.ts";
import { evaluateGraph } from "../../compiler/reference/evaluate.ts";
import type { HostArray } from "../../compiler/graph/dtype.ts";
import type { Case } from "./case.ts";
import { compared, demandsOf, expectationsOf, type Failure, hostFeeds } from "./judge.ts";

export interface BlamedPass {
  readonly pass: string;
  /** The rule of it without which all is well, where there is one. */
  readonly rule?: string;
  readonly failure: Failure;
}

/** Relative distance of results in f64 from which on a closer look is taken. */
const SUSPICIOUS = 1e-9;

const onGraphs = passes.filter((pass): pass is GraphPass => pass.on === "graph");

/** The first pass after which a graph gives other results, by the references of its ops; undefined where none does. */
export function blamePass(c: Case, cost: CostModel): BlamedPass | undefined {
  const failure = differenceAfter(c, onGraphs, cost);
  if (failure === undefined) return undefined;
  // A later pass may happen to undo it; the whole list may not.
  const at = onGraphs.findIndex((_, i) => differenceAfter(c, onGraphs.slice(0, i + 1), cost) !== undefined);
  const pass = onGraphs[at]!;
  const before = onGraphs.slice(0, at);
  const rule = pass.parts?.find((part) =>
    differenceAfter(c, [...before, pass.without!(part) as GraphPass], cost) === undefined
  );
  return { pass: pass.name, ...rule !== undefined && { rule }, failure };
}

/** What is different about a graph's results when some passes have run. */
export function differenceAfter(c: Case, list: readonly GraphPass[], cost: CostModel): Failure | undefined {
  const graph = list.reduce((before, pass) => pass.run(before, { cost }), c.graph);
  const [plain, rewritten] = [evaluated(c), evaluated({ ...c, graph })];
  // A write may have become one of the state with itself, which is none; the passes after it see to that.
  for (const name of plain.keys()) if (!rewritten.has(name)) plain.delete(name);
  if ([...plain].every(([name, array]) => isClose(array, rewritten.get(name)!))) return undefined;
  const expected = new Map([...expectationsOf(c)].filter(([name]) => plain.has(name)));
  return compared(expected, rewritten, demandsOf(c)).failure;
}

function evaluated(c: Case): Map<string, HostArray> {
  const demands = demandsOf(c);
  const results = evaluateGraph([...demands.values()], hostFeeds(c));
  return new Map([...demands.keys()].map((name, i) => [name, results[i]!]));
}

function isClose(a: HostArray, b: HostArray): boolean {
  let largest = 0;
  for (const x of a) if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
  return a.every((x, i) => Object.is(x, b[i]) || x === b[i] || Math.abs(x - b[i]!) <= SUSPICIOUS * largest);
}
