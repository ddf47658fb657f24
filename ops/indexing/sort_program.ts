/**
 * Sorting as kernels: Batcher's bitonic network (1968) on pairs (key, index), one row per network.
 *
 * Pairs are all different, so the network's result is *the* order, stable with equal keys, although the network itself
 * is not. A row is filled up to a power of two P with pairs that come last.
 *
 *     for v = 1 … log₂ P                            runs of 2ᵛ become sorted, every other one backwards
 *       for s = v − 1 … 0                           compare and exchange places 2ˢ apart
 *
 * Where a row fits into shared memory all of it is one kernel. A longer one is sorted in chunks that fit; then, per v
 * above them, one kernel per s that reaches across chunks, and one for all s within a chunk. Each kind of kernel has one
 * text: v and s are parameters.
 */

import { log2 } from "../../compiler/graph/real.ts";
import { IrBuilder } from "../../compiler/kernel/build.ts";
import { type ArrayDecl, i32, type Instr } from "../../compiler/kernel/ir.ts";
import { Evaluator } from "../../compiler/kernel/lower.ts";
import type { KernelProgram, ProgramSite } from "../../compiler/kernel/program_op.ts";
import type { ScheduledKernel } from "../../compiler/kernel/scheduled.ts";
import { type BufferRef, type Value, valueType } from "../../compiler/kernel/value.ts";
import type { Dim } from "../../compiler/graph/dim.ts";
import { elementOfKey, lastKey, sortKey } from "./sort_key.ts";

export interface SortAttrs {
  readonly descending: boolean;
  /** How many of the first places are wanted. */
  readonly count: Dim;
}

type Site = ProgramSite<SortAttrs>;
type Bindings = readonly (readonly [Value, Instr])[];

/** A power of two as its exponent. */
const exponentOf = (n: number): number => Math.ceil(log2(Math.max(1, n)));

interface Plan {
  readonly rows: number;
  /** Elements of a row. */
  readonly length: number;
  /** Exponents of P and of the chunk. */
  readonly whole: number;
  readonly chunk: number;
  /** Keys and indices between kernels; none where a row is one chunk. */
  readonly keys?: BufferRef;
  readonly indices?: BufferRef;
}

export const sortProgram: KernelProgram<SortAttrs> = {
  inlines: "all",
  plan(site) {
    const { shape } = site.inputs[0]!;
    const length = shape.at(-1)!;
    const rows = shape.slice(0, -1).reduce((n, d) => n * d, 1);
    const whole = exponentOf(length);
    // A key and an index of four bytes each.
    const chunk = Math.min(whole, Math.floor(log2(site.target.limits.sharedBytes / 8)));
    if (chunk === whole) return [chunkKernel(site, { rows, length, whole, chunk }, 1, whole, true, true)];
    const slots = rows * 2 ** whole;
    const plan = {
      rows,
      length,
      whole,
      chunk,
      keys: site.scratch("i32", slots),
      indices: site.scratch("i32", slots),
    };
    const kernels = [chunkKernel(site, plan, 1, chunk, true, false)];
    for (let v = chunk + 1; v <= whole; v++) {
      for (let s = v - 1; s >= chunk; s--) kernels.push(acrossKernel(site, plan, v, s));
      kernels.push(chunkKernel(site, plan, v, v, false, v === whole));
    }
    return kernels;
  },
};

/** Are (key, index) at the first place to come after those at the second? */
const comesAfter = (b: IrBuilder, key: readonly [Instr, Instr], index: readonly [Instr, Instr]): Instr =>
  b.binary("or", b.lt(key[1], key[0]), b.and(b.binary("eq", key[0], key[1]), b.lt(index[1], index[0])));

/** 2 to the power of an instruction. */
const power = (b: IrBuilder, exponent: Instr): Instr => b.binary("shl", b.int(1), b.cast("u32", exponent));

/** The first place of the t-th pair of places that are `apart`; the second is that much further on. */
function pairAt(b: IrBuilder, t: Instr, apart: Instr, places: number): readonly [Instr, Instr] {
  // The clamps change nothing; they are what can be proved without knowing that `apart` is a power of two.
  const inside = (place: Instr) => b.binary("max", b.min(place, b.int(places - 1)), b.int(0));
  const first = inside(b.sub(b.mul(t, 2), b.binary("and", t, b.sub(apart, 1))));
  return [first, inside(b.add(first, apart))];
}

/** Does the run of 2ᵛ places that this place lies in run backwards? */
const runsBackwards = (b: IrBuilder, place: Instr, v: Instr): Instr =>
  b.binary("ne", b.binary("and", b.binary("shr", place, b.cast("u32", v)), b.int(1)), b.int(0));

/**
 * Sorts within chunks in shared memory: all stages from `from` to `to`, reaching across at most a chunk.
 *
 * @param reads From the op's input; else from scratch.
 * @param writes The op's results; else scratch.
 */
function chunkKernel(
  site: Site,
  plan: Plan,
  from: number,
  to: number,
  reads: boolean,
  writes: boolean,
): ScheduledKernel {
  const { rows, whole, chunk } = plan;
  const places = 2 ** chunk;
  const perRow = 2 ** (whole - chunk);
  const lanes = Math.max(1, Math.min(site.target.lanes.map, places / 2));
  const b = new IrBuilder(lanes);
  const { lead, base } = b.uniform(() => {
    const row = perRow === 1 ? b.group : b.div(b.group, perRow);
    const base = perRow === 1 ? b.int(0) : b.mul(b.rem(b.group, perRow), places);
    return { lead: rowBindings(site, b, row), base };
  });
  const keys = b.array("shared", i32, places);
  const indices = b.array("shared", i32, places);
  const end = b.param("places", "i32", places, places, places);
  const each = (f: (place: Instr, position: Instr) => void) =>
    b.phase(() => b.for(b.lane, end, lanes, (place) => f(place, b.add(base, place))));
  if (reads) each((place, position) => readInput(site, plan, b, lead, place, position, keys, indices));
  else {
    each((place) => {
      const slot = b.add(b.mul(b.group, places), place);
      b.set(keys, place, b.load(plan.keys!, slot, 1, true));
      b.set(indices, place, b.load(plan.indices!, slot, 1, true));
    });
  }
  if (chunk > 0) {
    const first = b.param("first stage", "i32", from, 1, whole);
    const last = b.param("stages end", "i32", to + 1, 2, whole + 1);
    b.loop(first, last, 1, (v) => {
      const steps = b.uniform(() => b.min(v, b.int(chunk)));
      b.loop(b.int(0), steps, 1, (turn) => {
        b.phase(() => {
          const apart = power(b, b.sub(b.sub(steps, 1), turn));
          b.for(b.lane, b.param("pairs", "i32", places / 2, places / 2, places / 2), lanes, (t) => {
            const pair = pairAt(b, t, apart, places);
            const key = [b.read(keys, pair[0]), b.read(keys, pair[1])] as const;
            const index = [b.read(indices, pair[0]), b.read(indices, pair[1])] as const;
            const backwards = runsBackwards(b, b.add(base, pair[0]), v);
            b.if(b.binary("ne", comesAfter(b, key, index), backwards), () => {
              for (const [i, other] of [[0, 1], [1, 0]] as const) {
                b.set(keys, pair[i], key[other]);
                b.set(indices, pair[i], index[other]);
              }
            });
          });
        });
      });
    });
  }
  if (writes) each((place, position) => writeResults(site, b, lead, place, position, keys, indices));
  else {
    each((place) => {
      const slot = b.add(b.mul(b.group, places), place);
      b.store(plan.keys!, slot, b.read(keys, place));
      b.store(plan.indices!, slot, b.read(indices, place));
    });
  }
  const groups = rows * perRow;
  const what = perRow === 1 ? "" : from === to && !reads ? `, merge in chunks, stage ${to}` : ", chunks";
  return finished(plan, b, groups, `${site.label}${what}`);
}

/** One exchange of places further apart than a chunk is long, in memory. */
function acrossKernel(site: Site, plan: Plan, v: number, s: number): ScheduledKernel {
  const { rows, whole } = plan;
  const slots = rows * 2 ** whole;
  const { lanes: { map: lanes }, mapPerLane: perLane } = site.target;
  const b = new IrBuilder(lanes);
  const stage = b.param("stage", "i32", v, 1, whole);
  const step = b.param("step", "i32", s, 0, whole - 1);
  const keys = plan.keys!;
  const indices = plan.indices!;
  const start = (group: Instr) => b.mul(group, lanes * perLane);
  b.phase(() => {
    const apart = power(b, step);
    b.for(b.lane, b.int(lanes * perLane), lanes, (turn) => {
      const t = b.add(start(b.group), turn);
      b.if(b.lt(t, slots / 2), () => {
        const pair = pairAt(b, t, apart, slots);
        const key = [b.load(keys, pair[0], 1, true), b.load(keys, pair[1], 1, true)] as const;
        const index = [b.load(indices, pair[0], 1, true), b.load(indices, pair[1], 1, true)] as const;
        const backwards = runsBackwards(b, b.binary("and", pair[0], b.int(2 ** whole - 1)), stage);
        b.if(b.binary("ne", comesAfter(b, key, index), backwards), () => {
          for (const [i, other] of [[0, 1], [1, 0]] as const) {
            b.store(keys, pair[i], key[other]);
            b.store(indices, pair[i], index[other]);
          }
        });
      });
    });
  });
  const groups = Math.ceil(slots / 2 / (lanes * perLane));
  return finished(plan, b, groups, `${site.label}, exchange across chunks, stage ${v}, step ${s}`);
}

function finished(plan: Plan, b: IrBuilder, groups: number, label: string): ScheduledKernel {
  const scratch = plan.keys && plan.indices ? [plan.keys, plan.indices] : [];
  return { ...b.finish(groups), groups, label, split: false, scratch, schedule: "sort" };
}

/** What the axes before the last are in a row; input and results have them in common. */
function rowBindings({ values: k, inputs: [x] }: Site, b: IrBuilder, row: Instr): Bindings {
  const { shape } = x!;
  const axes = k.axes(shape);
  const bindings: [Value, Instr][] = [];
  let rest = row;
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    if (axes[axis]!.kind !== "var") continue;
    const outermost = shape.slice(0, axis).every((d) => d === 1);
    bindings.push([axes[axis]!, outermost ? rest : b.rem(rest, shape[axis]!)]);
    rest = b.div(rest, shape[axis]!);
  }
  return bindings;
}

function readInput(
  { values: k, inputs: [x], attrs: { descending } }: Site,
  { length }: Plan,
  b: IrBuilder,
  lead: Bindings,
  place: Instr,
  position: Instr,
  keys: ArrayDecl,
  indices: ArrayDecl,
): void {
  const ev = new Evaluator(k, b);
  const axes = k.axes(x!.shape);
  const own = axes.at(-1)!;
  const inside = b.min(position, b.int(length - 1));
  const key = ev.with(
    own.kind === "var" ? [...lead, [own, inside]] : lead,
    () => ev.eval(sortKey(k, x!.at(axes), descending)),
  );
  b.set(keys, place, b.select(b.lt(position, length), key, b.int(lastKey)));
  b.set(indices, place, position);
}

function writeResults(
  { values: k, outputs, attrs: { descending } }: Site,
  b: IrBuilder,
  lead: Bindings,
  place: Instr,
  position: Instr,
  keys: ArrayDecl,
  indices: ArrayDecl,
): void {
  const [elements, places] = outputs;
  const { shape, dtype } = elements!;
  b.if(b.lt(position, shape.at(-1)!), () => {
    const ev = new Evaluator(k, b);
    const axes = k.axes(shape);
    const own = axes.at(-1)!;
    ev.with(own.kind === "var" ? [...lead, [own, position]] : lead, () => {
      const element = elementOfKey(b, b.read(keys, place), valueType(dtype), descending);
      b.store(elements!.buffer, ev.eval(elements!.at(axes)), element);
      b.store(places!.buffer, ev.eval(places!.at(axes)), b.read(indices, place));
    });
  });
}
