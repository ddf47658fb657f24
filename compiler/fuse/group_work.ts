/**
 * What one group does, as a few numbers read off its values: what a cost model is a function of.
 *
 *     reads, writes   each element of each tensor once: a kernel that walks a row twice finds it in a cache
 *     steps           operations on single numbers, as often as its schedule will do them; an access to memory is eight
 *
 * How often follows from the kind of the group. In a map every value is computed for every element. In a row what
 * misses the row's axes is computed once per row, and each pass over the row computes what it needs again. In a
 * contraction what misses an axis of the result is computed once per tile along that axis.
 */

import { deviceBytes } from "../graph/dtype.ts";
import { childrenOf, type Load, type Reduce, type Value, type Var, walk } from "../kernel/value.ts";
import type { LoweredGroup } from "../schedule/group.ts";
import type { Accepted, Kind } from "./legal.ts";
import { contractionSteps } from "./contraction_steps.ts";
import { accessOf, type CostModel, stepsOfValue } from "./worthwhile.ts";

/** Plain data: it can be written down beside a measurement, and a model fitted to it. */
export interface GroupWork {
  /** `alone`: one op that no schedule takes without repeating work; `program`: an op with kernels of its own. */
  readonly kind: Kind | "alone" | "program";
  /** Bytes loaded. */
  readonly reads: number;
  /** Bytes stored. */
  readonly writes: number;
  /** Operations on single numbers, repetitions included. */
  readonly steps: number;
  /** Independent results: what can be spread over lanes. */
  readonly results: number;
  /** Terms of each reduction; 1 where there is none. */
  readonly terms: number;
  /** Whether it only writes states: such maps run together, as one dispatch. */
  readonly packed: boolean;
}

const product = (vars: Iterable<Var>): number => {
  let n = 1;
  for (const v of vars) n *= v.extent;
  return n;
};

const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/**
 * @param accepted What legal.ts said of the group; undefined where it refused.
 * @param cost Whose tiles and lanes a contraction's operands are evaluated by.
 */
export function workOf(
  group: LoweredGroup,
  accepted: Accepted | undefined,
  cost: CostModel,
  packed: boolean,
): GroupWork {
  const { roots } = group;
  const values = roots.map((r) => r.value);
  const touched = new Map<string, { size: number; bytes: number; elements: number }>();
  const reduces: Reduce[] = [];
  walk(values, (v) => {
    if (v.kind === "load") touch(touched, v);
    if (v.kind === "reduce") reduces.push(v);
  });
  let reads = 0;
  for (const { size, bytes, elements } of touched.values()) reads += Math.min(size, elements) * bytes;
  const writes = roots.reduce((n, r) => n + sizeOf(r.shape) * deviceBytes(r.buffer.dtype), 0);

  let steps = roots.reduce((n, r) => n + accessOf(cost) * sizeOf(r.shape), 0);
  const isRow = accepted?.kind === "row";
  // A row's results, and whatever a map gives, share what they have in common.
  for (const [, list] of Map.groupBy(roots, (r) => r.shape.join())) {
    const axes = new Set(list[0]!.axes.filter((a): a is Var => a.kind === "var"));
    steps += loopSteps(
      list.map((r) => r.value),
      cost,
      (v) => isRow ? once(v, axes, reduces) : everywhere(v, axes),
    );
  }
  const passes = Map.groupBy(reduces, (r) => isRow ? String(heightOf(r)) : String(r.id));
  for (const list of passes.values()) {
    const [{ free, vars }] = list as [Reduce];
    const all = new Set([...free, ...vars]);
    const bodies = list.map((r) => r.body);
    if (list[0] === accepted?.main) {
      steps += contractionSteps(group, list[0]!, cost);
    } else if (isRow) {
      steps += loopSteps(bodies, cost, (v) => once(v, all, reduces)) + list.length * product(all);
    } else steps += loopSteps(bodies, cost, () => product(all)) + product(all);
  }
  return {
    kind: accepted?.kind ?? "alone",
    reads,
    writes,
    steps,
    results: Math.max(1, ...roots.map((r) => sizeOf(r.shape))),
    terms: Math.max(1, ...reduces.map((r) => product(r.vars))),
    packed,
  };
}

function touch(touched: Map<string, { size: number; bytes: number; elements: number }>, load: Load): void {
  const { name, size, dtype } = load.buffer;
  const known = touched.get(name);
  const elements = product(load.index.free);
  if (known) known.elements += elements;
  else touched.set(name, { size, bytes: deviceBytes(dtype), elements });
}

/** Operations of one loop: everything above its reductions, each value as often as `times` says. */
function loopSteps(roots: readonly Value[], cost: CostModel, times: (v: Value) => number): number {
  let steps = 0;
  const seen = new Set<Value>();
  const go = (v: Value): void => {
    if (seen.has(v) || v.kind === "reduce") return;
    seen.add(v);
    const own = stepsOfValue(v, cost);
    if (own > 0) steps += own * times(v);
    if (v.kind === "load") return;
    for (const child of childrenOf(v)) go(child);
  };
  for (const root of roots) go(root);
  return steps;
}

/** In a row kernel: once per row for what misses the row's axes, once per element for the rest. */
function once(v: Value, all: ReadonlySet<Var>, reduces: readonly Reduce[]): number {
  const outer = reduces[0]!.free;
  return [...v.free].every((x) => outer.has(x)) ? product(outer) : product(all);
}

/** In a map: once where it is the same for all elements (a learning rate), else for each. */
function everywhere(v: Value, axes: ReadonlySet<Var>): number {
  return [...v.free].some((x) => axes.has(x)) ? product(axes) : 1;
}

/** Reductions below a reduction: it runs in a later pass than they do. */
function heightOf(reduce: Reduce): number {
  let height = 0;
  walk([reduce.body], (v) => {
    if (v.kind === "reduce" && v !== reduce) height = Math.max(height, 1 + heightOf(v));
  });
  return height;
}
