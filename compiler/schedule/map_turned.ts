/**
 * Loads across the grain of a map: contiguous along another axis than the results are.
 *
 * Each element of four results lies in a line of memory of its own, whose neighbors are read one row of results later.
 * Where the lines are a power of two apart they compete for the same places in a cache, which has lost them by then. A
 * block of four by four results reads vectors along the other axis instead, and turns them in registers.
 *
 *     a + bᵀ      b[j][i…i+3], b[j+1][i…i+3], …      →      row i of the block: (b[j][i], b[j+1][i], b[j+2][i], b[j+3][i])
 */

import type { Instr } from "../kernel/ir.ts";
import { type Evaluator } from "../kernel/lower.ts";
import { type Load, type Value, type Var, walk } from "../kernel/value.ts";
import type { Target } from "../target.ts";
import type { MapStore } from "./map_loops.ts";
import { isContiguous, strideOf } from "../kernel/stride.ts";

/** Loads to be turned, and the axis that they are contiguous in. */
export interface Turned {
  readonly axis: Var;
  readonly loads: readonly Load[];
}

/** Loads that blocks of a map may turn: their vectors lie in registers. */
const mostTurned = 3;

/** What to turn; undefined where nothing is read so along one axis of whole vectors. */
export function turnedLoads(
  stores: readonly MapStore[],
  loops: readonly Var[],
  { competing }: Target,
): Turned | undefined {
  if (competing === 0) return undefined;
  const inner = loops.at(-1)!;
  const across = new Map<Var, Load[]>();
  walk(stores.map(({ value }) => value), (value) => {
    if (value.kind !== "load") return;
    const stride = strideOf(value.index, inner) ?? 0;
    if (stride === 0 || stride % competing !== 0) return;
    if (value.buffer.size % 4 !== 0 || ![...value.free].every((v) => loops.includes(v))) return;
    const axis = loops.find((v) => v !== inner && v.extent % 4 === 0 && isContiguous(value.index, v));
    if (axis) across.set(axis, [...across.get(axis) ?? [], value]);
  });
  const [found, ...others] = across;
  if (!found || others.length > 0 || found[1].length > mostTurned) return undefined;
  return { axis: found[0], loads: found[1] };
}

/**
 * Runs `f` for each of the four rows of a block, with the turned loads bound to vectors along the inner axis.
 *
 * @param at Where the block begins, along the axis and along the inner one.
 */
export function forTurnedRows(
  ev: Evaluator,
  { axis, loads }: Turned,
  inner: Var,
  at: { readonly axis: Instr; readonly inner: Instr },
  f: () => void,
): void {
  const { b } = ev;
  const lines = loads.map((load) =>
    four((i) => ev.with([[inner, b.add(at.inner, i)]], () => ev.eval(load, 4, axis)))
  );
  for (const row of [0, 1, 2, 3] as const) {
    const turned = loads.map((load, i): [Value, Instr] => [
      load,
      b.construct(four((j) => b.component(lines[i]![j], row))),
    ]);
    ev.with([[axis, b.add(at.axis, row)], ...turned], f);
  }
}

const four = <T>(f: (i: 0 | 1 | 2 | 3) => T): [T, T, T, T] => [f(0), f(1), f(2), f(3)];
