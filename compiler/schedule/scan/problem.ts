/**
 * A group as a scan: its one cumulative value, the axis of the results that it runs along, and in which direction.
 *
 * The result at place j of the axis holds the elements up to position p(j) = j or n − 1 − j, and each position is one
 * result's. So what is summed can be said in terms of the place, and the scan walks places upwards or downwards: then a
 * scan backwards reads neighbors in memory as well as one forwards does.
 */

import type { BufferRef, Prefix, Value, Var } from "../../kernel/value.ts";
import type { Values } from "../../kernel/values.ts";
import { walk } from "../../kernel/value.ts";
import { mergeAxes } from "../axes.ts";
import type { LoweredGroup, Refusal } from "../group.ts";

export interface ScanRoot {
  readonly value: Value;
  readonly index: Value;
  readonly buffer: BufferRef;
}

export interface Scan {
  readonly values: Values;
  /** The cumulative value in the roots; what a schedule binds. */
  readonly prefix: Prefix;
  /** The axis of the results along which the scan runs. */
  readonly axis: Var;
  readonly upwards: boolean;
  readonly length: number;
  /** What is combined at a place of the axis, and where the scan begins anew. */
  readonly body: Value;
  readonly restart: Value | undefined;
  /** The other axes of the results, neighbors merged. */
  readonly outer: readonly Var[];
  readonly rows: number;
  readonly roots: readonly ScanRoot[];
}

/** Along which axis, and how. */
export interface ScanLine {
  readonly axis: Var;
  readonly upwards: boolean;
}

export const isScan = <S extends Scan | ScanLine>(x: S | Refusal): x is S => !("refused" in x);

/** The group as a scan; `scanLine` has the reasons why it may be none. */
export function scanOf(group: LoweredGroup): Scan | Refusal {
  const line = scanLine(group);
  return isScan(line) ? merged(group, line) : line;
}

/** Where the group's scan runs, or why the group is no scan. */
export function scanLine({ roots }: LoweredGroup): ScanLine | Refusal {
  const { prefixes, reductions } = looked(roots.map((r) => r.value));
  const [prefix] = prefixes;
  if (!prefix || prefixes.size > 1) {
    return { refused: `${prefixes.size} cumulative values, where a scan has one` };
  }
  if (reductions > 0) return { refused: "a reduction beside a cumulative value" };
  const line = lineOf(prefix.upTo);
  if (!line) return { refused: "the end of the running sum is not a position of one axis" };
  const length = prefix.variable.extent;
  if (line.axis.extent !== length) {
    return { refused: `a running sum over ${length} for results along ${line.axis.extent}` };
  }
  // Walking all places must meet every position once.
  if (line.constant !== (line.upwards ? 0 : length - 1)) {
    return { refused: "the running sum ends beside its element" };
  }
  const axes = roots[0]!.axes.filter((a): a is Var => a.kind === "var");
  for (const root of roots) {
    const own = root.axes.filter((a) => a.kind === "var");
    if (own.length !== axes.length || own.some((v, i) => v !== axes[i])) {
      return {
        refused: `results of shapes [${roots[0]!.shape}] and [${root.shape}] have different iteration spaces`,
      };
    }
  }
  if (!axes.includes(line.axis)) return { refused: "the results lack the axis of the running sum" };
  if (prefix.body.free.has(line.axis) || prefix.restart?.free.has(line.axis)) {
    return { refused: "what is summed changes with the end of the sum" };
  }
  return line;
}

function merged({ values: k, roots: all }: LoweredGroup, { axis, upwards }: ScanLine): Scan {
  const others = all[0]!.axes.filter((a): a is Var => a.kind === "var" && a !== axis);
  const outer = mergeAxes(k, others, [axis, ...all.flatMap((r) => [r.value, r.index])]);
  const roots = all.map(({ value, index, buffer }) => ({
    value: k.substitute(value, outer.substitution),
    index: k.substitute(index, outer.substitution),
    buffer,
  }));
  const prefix = [...looked(roots.map((r) => r.value)).prefixes][0]!;
  const length = axis.extent;
  const atPlace = new Map([[
    prefix.variable as Value,
    upwards ? axis as Value : k.isub(k.int(length - 1), axis),
  ]]);
  return {
    values: k,
    prefix,
    axis,
    upwards,
    length,
    body: k.substitute(prefix.body, atPlace),
    restart: prefix.restart && k.substitute(prefix.restart, atPlace),
    outer: outer.vars,
    rows: outer.vars.reduce((n, v) => n * v.extent, 1),
    roots,
  };
}

function looked(values: readonly Value[]): { prefixes: ReadonlySet<Prefix>; reductions: number } {
  const prefixes = new Set<Prefix>();
  let reductions = 0;
  walk(values, (v) => {
    if (v.kind === "prefix") prefixes.add(v);
    if (v.kind === "reduce") reductions++;
  });
  return { prefixes, reductions };
}

/** ±axis + constant, if a value is that. */
function lineOf(value: Value): { axis: Var; upwards: boolean; constant: number } | undefined {
  if (value.kind === "var") return { axis: value, upwards: true, constant: 0 };
  if (value.kind !== "linear" || value.terms.length !== 1) return undefined;
  const { atom, coefficient } = value.terms[0]!;
  if (atom.kind !== "var" || (coefficient !== 1 && coefficient !== -1)) return undefined;
  return { axis: atom, upwards: coefficient > 0, constant: value.constant };
}
