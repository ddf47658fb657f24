/** A group as a scan: its one cumulative value, the axis that it runs along, and the order in which it does. */

import { type Prefix, type Value, type Var, walk } from "../../kernel/value.ts";
import type { LoweredGroup, Refusal } from "../group.ts";

export interface Scan {
  readonly prefix: Prefix;
  /** The results' axis along which the scan runs; position = sign · axis + offset. */
  readonly axis: Var;
  readonly sign: 1 | -1;
  readonly offset: number;
  readonly length: number;
  /** The other axes of the results. */
  readonly outer: readonly Var[];
}

export function scanOf({ roots }: LoweredGroup): Scan | Refusal {
  const prefixes = new Set<Prefix>();
  let reductions = 0;
  walk(roots.map((r) => r.value), (v) => {
    if (v.kind === "prefix") prefixes.add(v);
    if (v.kind === "reduce") reductions++;
  });
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
  // Walking all positions must visit every result once.
  const offset = line.constant;
  if (offset !== (line.sign > 0 ? 0 : length - 1)) {
    return { refused: "the running sum ends beside its element" };
  }
  const first = roots[0]!.axes.filter((a): a is Var => a.kind === "var");
  for (const root of roots) {
    const axes = root.axes.filter((a): a is Var => a.kind === "var");
    if (axes.length !== first.length || axes.some((v, i) => v !== first[i])) {
      return { refused: "results of different shapes" };
    }
  }
  if (!first.includes(line.axis)) return { refused: "the results lack the axis of the running sum" };
  if (prefix.body.free.has(line.axis)) return { refused: "what is summed changes with the end of the sum" };
  return {
    prefix,
    axis: line.axis,
    sign: line.sign,
    offset,
    length,
    outer: first.filter((v) => v !== line.axis),
  };
}

/** ±axis + constant, if a value is that. */
function lineOf(value: Value): { axis: Var; sign: 1 | -1; constant: number } | undefined {
  if (value.kind === "var") return { axis: value, sign: 1, constant: 0 };
  if (value.kind !== "linear" || value.terms.length !== 1) return undefined;
  const { atom, coefficient } = value.terms[0]!;
  if (atom.kind !== "var" || (coefficient !== 1 && coefficient !== -1)) return undefined;
  return { axis: atom, sign: coefficient, constant: value.constant };
}
