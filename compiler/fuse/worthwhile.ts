/**
 * Profit: bytes saved against work repeated. A heuristic: it may be wrong, never unsound (legal.ts is about that).
 *
 * Storing a tensor costs one write and one read per group that uses it. Computing it in place costs its operations once
 * more in every further group, and inside a contraction once per tile column; and each group loads the operands.
 */

import type { Node, Tensor } from "../graph/node.ts";
import { resultsOf } from "../graph/graph.ts";
import { deviceBytes } from "../graph/dtype.ts";
import { childrenOf, slowFunctions, type Value, walk } from "../kernel/value.ts";
import type { Target } from "../target.ts";
import type { GroupWork } from "./group_work.ts";
import { concrete } from "./lower_group.ts";

/** What fusion weighs against each other. */
export interface CostModel {
  readonly name: string;
  /** Operations that greedy would do to save moving one byte. */
  readonly flopsPerByte: number;
  /** What a dispatch costs, in bytes of traffic. */
  readonly bytesPerDispatch: number;
  /** Columns of a contraction that share one evaluation of a prologue. */
  readonly tileColumns: number;
  /** Lanes side by side, each with `tileColumns` columns of a contraction; 1, if not said, where all share them. */
  readonly lanes?: number;
  /** Workgroups among which rows are divided; 1 if not said. */
  readonly parallel?: number;
  /** Operations that an access to memory takes, beside what its bytes do; 8 if not said. */
  readonly access?: number;
  /** Operations in a millisecond; `flopsPerByte · bytesPerMs` if not said. */
  readonly stepsPerMs?: number;
  /** Bytes of traffic in a millisecond: with `stepsPerMs` what turns work into time (`plan_cost.ts`). */
  readonly bytesPerMs: number;
  /** What a dispatch takes whatever it does. `bytesPerDispatch` is what greedy would pay to be rid of one. */
  readonly dispatchMs: number;
  /** Milliseconds of one group, for whoever has a better estimate than `plan_cost.ts`, such as a fit to measurements. */
  readonly groupMs?: (work: GroupWork) => number;
}

/**
 * The default model, with the target's tiles: staged operands are evaluated once per workgroup, others by every lane.
 */
export function costModelOf(
  { contraction: { tile, grid, staged }, steps, parallel, bytesPerMs, stepsPerMs, dispatchMs }: Target,
): CostModel {
  const [tileColumns, lanes] = staged ? [tile[1] * grid[1], 1] : [tile[1], grid[0] * grid[1]];
  const access = steps.buffer[1];
  return { ...defaultCostModel, tileColumns, lanes, parallel, access, bytesPerMs, stepsPerMs, dispatchMs };
}

/** Fits both adapters well enough to decide; `tune` may replace it. */
export const defaultCostModel: CostModel = {
  name: "default",
  flopsPerByte: 8,
  bytesPerDispatch: 64 * 1024,
  tileColumns: 64,
  bytesPerMs: 8e6,
  dispatchMs: 0.03,
};

/** Operations of a value itself, its operands being there. */
export function ownFlops(v: Value): number {
  switch (v.kind) {
    case "load":
      return 8;
    case "unary":
      return slowFunctions.has(v.op) ? 8 : 1;
    case "binary":
      return v.op === "div" || v.op === "rem" ? 4 : 1;
    case "select":
    case "guard":
      return 1;
    case "div":
    case "mod":
      return 4;
    default:
      return 0;
  }
}

/** Operations of an access to memory. */
export const accessOf = ({ access = 8 }: CostModel): number => access;

/** Operations in a millisecond. */
export const stepsPerMsOf = (
  { flopsPerByte, bytesPerMs, stepsPerMs = flopsPerByte * bytesPerMs }: CostModel,
): number => stepsPerMs;

/** Operations of a value itself, as a model of time counts them. */
export const stepsOfValue = (v: Value, cost: CostModel): number =>
  v.kind === "load" ? accessOf(cost) : ownFlops(v);

/** Operations to evaluate one element, given what is already computed; a load counts as eight. */
export function flopsOf(value: Value, below: ReadonlySet<Value> = new Set()): number {
  let flops = 0;
  const seen = new Set<Value>();
  const go = (v: Value): void => {
    if (seen.has(v) || below.has(v) || v.kind === "reduce" || v.kind === "prefix") return;
    seen.add(v);
    flops += ownFlops(v);
    if (v.kind === "load") return; // index arithmetic is part of the load
    for (const child of childrenOf(v)) go(child);
  };
  go(value);
  return flops;
}

export const elementsOf = (tensor: Tensor): number => concrete(tensor).shape.reduce((n, d) => n * d, 1);

export const elements = (node: Node): number => resultsOf(node).reduce((n, t) => n + elementsOf(t), 0);

export const bytesOfNode = (node: Node): number =>
  resultsOf(node).reduce((n, t) => n + elementsOf(t) * deviceBytes(t.dtype), 0);

/** Every value below (and with) the given ones. */
export function below(values: readonly Value[]): Set<Value> {
  const all = new Set<Value>();
  walk(values, (v) => all.add(v));
  return all;
}
