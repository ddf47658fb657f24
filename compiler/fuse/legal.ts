/**
 * Soundness: may these nodes be one kernel? Read off the values, never off a list of ops.
 *
 * A heuristic may be wrong; what is here may not. Every no has its reason, with numbers (STYLE 5).
 *
 *   map          no reduction
 *   contraction  one reduction whose body multiplies sides that miss each other's axes
 *   row          reductions over the same axes, each a scalar of its row, possibly dependent (softmax, layer norm)
 *
 *   scan         one cumulative value
 *
 * Everything else (a reduction inside the loop of another, two contractions) would repeat work per element: refused.
 */

import { counted } from "../counted.ts";
import { childrenOf, type Load, type Reduce, type Value, type Var, walk } from "../kernel/value.ts";
import type { LoweredGroup, Root } from "../schedule/group.ts";
import { isScan, scanLine } from "../schedule/scan/problem.ts";
import { type Refused, tooManyBuffers } from "./reason.ts";

export type Kind = "map" | "row" | "contraction" | "scan";

export interface Accepted {
  readonly kind: Kind;
  /** Names the iteration space: groups with equal ones may become one kernel with several results. */
  readonly space: string;
  /** The contraction of the group, if it is one. */
  readonly main?: Reduce;
}

/** Which schedule takes the group, or why none does. */
export function classify(group: LoweredGroup, storageBuffers: number): Accepted | Refused {
  const values = group.roots.map((r) => r.value);
  const reduces = new Set<Reduce>();
  const loads = new Set<string>();
  let prefixes = 0;
  let guarded = false;
  walk(values, (v) => {
    if (v.kind === "reduce") reduces.add(v);
    if (v.kind === "guard" && nestedIn(v.value).length > 0) guarded = true;
    if (v.kind === "prefix") prefixes++;
    if (v.kind === "load") loads.add(v.buffer.name);
  });
  const written = new Set(group.roots.map((r) => r.buffer.name));
  const buffers = new Set([...loads, ...written]).size;
  if (buffers > storageBuffers) return tooManyBuffers(buffers, storageBuffers);
  if (guarded) {
    return {
      rule: "recomputation",
      refused: "a reduction would be computed where a concat or pad does not even look at it",
    };
  }
  if (prefixes > 0) {
    if (prefixes > 1 || reduces.size > 0) {
      return {
        rule: "iteration space",
        refused: "a cumulative op shares its kernel with elementwise ones only",
      };
    }
    const line = scanLine(group);
    if (!isScan(line)) return { rule: "iteration space", ...line };
    return { kind: "scan", space: `scan ${spaceOf(group.roots[0]!.axes)}` };
  }
  if (reduces.size === 0) {
    const shapes = new Set(group.roots.map((r) => spaceOf(r.axes)));
    if (shapes.size > 1) {
      return {
        rule: "iteration space",
        refused: `results have different iteration spaces: ${[...shapes].join(" and ")}`,
      };
    }
    return { kind: "map", space: `map ${[...shapes][0]}` };
  }
  const contractions = [...reduces].filter(isContraction);
  if (contractions.length > 0) return contraction(group, contractions);
  return row(group, reduces);
}

const spaceOf = (axes: readonly Value[]): string =>
  `[${axes.filter((a) => a.kind === "var").map((a) => (a as Var).extent)}]`;

const outer = (value: Value, bound: readonly Var[]): Set<Var> =>
  new Set([...value.free].filter((v) => !bound.includes(v)));

/**
 * Two loads that both depend on the reduced axes, each with an output axis that the other misses: every element of one
 * meets many of the other.
 */
function isContraction(reduce: Reduce): boolean {
  const sides: Set<string>[] = [];
  const side = (v: Value) =>
    sides.push(new Set([...outer(v, reduce.vars)].flatMap((axis) => partsOf(v, axis))));
  walk([reduce.body], (v) => {
    if (v.kind === "load" && reduce.vars.some((k) => v.free.has(k))) side(v);
  });
  // A side may also be an index comparison (one-hot products): id[k] == v has the free axis v and no load of it.
  walk([reduce.body], (v) => {
    if (
      v.kind === "binary" && v.op === "eq" && v.a.type === "i32" && reduce.vars.some((k) => v.free.has(k))
    ) side(v);
  });
  for (const a of sides) {
    for (const b of sides) {
      if ([...a].some((v) => !b.has(v)) && [...b].some((v) => !a.has(v))) return true;
    }
  }
  return false;
}

/**
 * An axis as a side knows it: whole, or only by its quotient (the groups of a grouped convolution), which says nothing of
 * where within a group it is.
 */
function partsOf(side: Value, axis: Var): string[] {
  const name = `${axis.extent}_${axis.slot}`;
  const seen = new Set<Value>();
  const isWhole = (v: Value): boolean => {
    if (v === axis) return true;
    if (seen.has(v) || !v.free.has(axis) || (v.kind === "div" && v.arg === axis)) return false;
    seen.add(v);
    return childrenOf(v).some(isWhole);
  };
  return isWhole(side) ? [name, `${name} within`] : [name];
}

/** Are the elements along an axis different for another reason than a reduction that depends on it? */
function toldApart(value: Value, axis: Var): boolean {
  const seen = new Set<Value>();
  const isTold = (v: Value): boolean => {
    if (v === axis) return true;
    if (seen.has(v) || !v.free.has(axis) || v.kind === "reduce") return false;
    seen.add(v);
    return !(v.kind === "div" && v.arg === axis) && childrenOf(v).some(isTold);
  };
  return isTold(value);
}

const nestedIn = (body: Value): Reduce[] => {
  const found: Reduce[] = [];
  walk([body], (v) => {
    if (v.kind === "reduce") found.push(v);
  });
  return found;
};

function contraction(
  group: LoweredGroup,
  contractions: readonly Reduce[],
): Accepted | Refused {
  const main = contractions[0]!;
  if (contractions.length > 1) {
    return {
      rule: "recomputation",
      refused: `${contractions.length} contractions: each would be repeated for every element of the other`,
    };
  }
  const inside = nestedIn(main.body).length;
  if (inside > 0) {
    return {
      rule: "recomputation",
      refused: `a reduction would be repeated inside the loop over ${extent(main.vars)} of a contraction`,
    };
  }
  for (const root of group.roots) {
    const axes = new Set(root.axes.filter((a) => a.kind === "var"));
    const own = nestedIn(root.value);
    if (own.some((r) => r !== main)) {
      const refused = riderRefusal(root, own, main);
      if (refused) return { rule: "iteration space", refused };
    } else if ([...main.free].some((v) => !axes.has(v)) || axes.size !== main.free.size) {
      return { rule: "iteration space", refused: "a result is not of the contraction's own shape" };
    }
  }
  return { kind: "contraction", space: `contraction ${group.roots[0]!.shape}`, main };
}

/**
 * Why a result may not ride along: a sum over the same steps that reads only what the contraction reads (a bias gradient
 * beside a weight gradient) costs nothing; any other would be a loop of its own.
 */
function riderRefusal(root: Root, own: readonly Reduce[], main: Reduce): string | undefined {
  const [sum] = own;
  if (own.length > 1 || sum!.op !== main.op || count(sum!.vars) !== count(main.vars)) {
    return "a reduction over the results of a contraction, or beside it over other steps, needs a loop of its own";
  }
  // Equal names and equal steps: the summed axes move through each buffer in the same way.
  const known = stepsThrough(main);
  for (const [name, step] of stepsThrough(sum!)) {
    if (known.get(name) !== step) {
      return "a sum beside a contraction would read what the contraction does not read then";
    }
  }
  // One axis fewer than the contraction: the sum of one side.
  if (root.axes.filter((a) => a.kind === "var").length >= main.free.size) {
    return "a sum beside a contraction would have to be over one side only";
  }
  return undefined;
}

/** For each buffer read in a reduction's loop, the distance between neighboring terms. */
function stepsThrough(reduce: Reduce): Map<string, number> {
  const steps = new Map<string, number>();
  walk([reduce.body], (v) => {
    if (v.kind !== "load") return;
    const terms = v.index.kind === "linear" ? v.index.terms : [{ atom: v.index, coefficient: 1 }];
    const step = terms.filter((t) => reduce.vars.includes(t.atom as Var))
      .reduce((n, t) => Math.min(n, Math.abs(t.coefficient)), Infinity);
    steps.set(v.buffer.name, Math.min(step, steps.get(v.buffer.name) ?? Infinity));
  });
  return steps;
}

const count = (vars: readonly Var[]): number => vars.reduce((n, v) => n * v.extent, 1);

const extent = (vars: readonly Var[]): string => vars.map((v) => v.extent).join("×");

function row(group: LoweredGroup, reduces: ReadonlySet<Reduce>): Accepted | Refused {
  const first = [...reduces][0]!;
  const outerKey = (free: Iterable<Var>) => [...free].map((v) => `${v.extent}_${v.slot}`).sort().join();
  const space = outerKey(first.free);
  for (const r of reduces) {
    if (extent(r.vars) !== extent(first.vars)) {
      return {
        rule: "iteration space",
        refused: `reductions over different axes: ${extent(first.vars)} and ${extent(r.vars)}`,
      };
    }
    if (outerKey(r.free) !== space) {
      return {
        rule: "iteration space",
        refused: `reductions of different rows: [${space}] and [${outerKey(r.free)}]`,
      };
    }
    for (const inner of nestedIn(r.body)) {
      if (inner !== r && r.vars.some((v) => inner.free.has(v))) {
        return {
          rule: "recomputation",
          refused: `a reduction over ${extent(inner.vars)} would be repeated ${
            counted(extent(r.vars), "time")
          }`,
        };
      }
    }
  }
  for (const r of reduces) {
    for (const axis of r.free) {
      if (partsOf(r, axis).length > 1 || !group.roots.some((root) => toldApart(root.value, axis))) continue;
      return {
        rule: "recomputation",
        refused:
          `a reduction over ${extent(r.vars)} would be repeated: it depends on an axis of ${axis.extent} ` +
          "by its quotient only",
      };
    }
  }
  const contiguous = isColumn(first) ? "column" : "row";
  for (const root of group.roots) {
    const axes = root.axes.filter((a): a is Var => a.kind === "var");
    const rest = axes.filter((v) => !first.free.has(v));
    if ([...first.free].some((v) => !axes.includes(v))) {
      return {
        rule: "iteration space",
        refused: `a result of shape [${root.shape}] has fewer axes than the rows of the reduction`,
      };
    }
    if (rest.length > 0) {
      // A result as long as the row: its other axes must be the reduced ones.
      if (rest.map((v) => v.extent).join("×") !== extent(first.vars)) {
        return {
          rule: "iteration space",
          refused: `a result of shape [${root.shape}] is no row of ${extent(first.vars)}`,
        };
      }
      if (rest.some((v, i) => v !== axes[axes.length - rest.length + i])) {
        return {
          rule: "recomputation",
          refused:
            `a reduction over ${extent(first.vars)} would be repeated for each element of [${root.shape}]: ` +
            "the elements of a row are not its last axes",
        };
      }
      if (contiguous === "column") {
        return {
          rule: "iteration space",
          refused: "a column sum and the column itself need two passes over memory",
        };
      }
    }
  }
  return { kind: "row", space: `${contiguous} [${space}] × ${extent(first.vars)}` };
}

/** Does the fastest-moving axis of what is read belong to the kept axes? */
function isColumn(reduce: Reduce): boolean {
  let row = 0;
  let column = 0;
  walk([reduce.body], (v) => {
    // A row's own scalar says nothing about the direction.
    if (v.kind !== "load" || !reduce.vars.some((x) => v.free.has(x))) return;
    if (![...reduce.free].some((x) => v.free.has(x))) return;
    const fastest = unitStride(v);
    if (!fastest) return;
    if (reduce.vars.includes(fastest)) row++;
    else if (reduce.free.has(fastest)) column++;
  });
  return column > row;
}

function unitStride(load: Load): Var | undefined {
  if (load.index.kind === "var") return load.index;
  if (load.index.kind !== "linear") return undefined;
  const unit = load.index.terms.find((t) => t.coefficient === 1)?.atom;
  return unit?.kind === "var" ? unit : undefined;
}
