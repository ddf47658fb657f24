/**
 * Windows: a side of a contraction that slides over its operand, as the image of a convolution does. It has an output axis
 * i and a summed variable u that occur only as s·i + d·u: its elements are far fewer than the pairs (i, u), and each is
 * read, with whatever guards its border, once per pair.
 *
 * A panel reads such a side as rows: the same element for all lanes, at every step. So a first kernel writes the distinct
 * elements down, borders and all, with a summed variable c innermost (for a convolution: the padded image, channels
 * last); the steps of k then run over c in fours inside the windows, and a row takes one vec4 for four of them. A few
 * neighboring rows are computed in one turn, so that what their windows share is loaded once. The other side, a filter,
 * is small, and lies in the panel.
 */

import { gcd } from "../../kernel/affine.ts";
import {
  type BufferRef,
  childrenOf,
  type Linear,
  type Reduce,
  type Value,
  type Var,
} from "../../kernel/value.ts";
import { type Values } from "../../kernel/values.ts";
import type { Target } from "../../target.ts";
import type { LoweredGroup, Root } from "../group.ts";
import { extentOf } from "./extent.ts";
import { takenBy } from "./lane_tile.ts";
import { FreshVars } from "./places.ts";
import type { Contraction, Store } from "./problem.ts";
import { cutSides } from "./sides.ts";

export interface Windowed {
  /** Writes the side's distinct elements. */
  readonly written: LoweredGroup;
  readonly scratch: BufferRef;
  /** The contraction that reads them, over one summed variable. */
  readonly c: Contraction;
}

/** An output axis and a summed variable that occur as `stride · axis + dilation · summed`. */
interface Window {
  readonly axis: Var;
  readonly summed: Var;
  readonly stride: number;
  readonly dilation: number;
  /** Stands for stride · axis + dilation · summed + offset; from 0. */
  readonly position: Var;
  readonly offset: number;
}

/** Windows longer than this, or farther apart, are no windows but products of axes. */
const longest = 16;
const farthest = 8;

/** The part of the pairs that may be different elements. */
const overlap = 0.75;

/** The contraction over its written side, if one side has windows and it is worth a kernel of its own. */
export function windowed(c: Contraction, target: Target, label: string): Windowed | undefined {
  for (const [side, own, others] of [[c.a, c.rows, c.columns], [c.b, c.columns, c.rows]] as const) {
    // The other side has to fill the lanes, or the elements written down are not read often enough.
    const lanes = target.contraction.grid[0] * target.contraction.grid[1];
    // What rides with the columns goes on riding with them.
    if (c.riders.length > 0 && others !== c.columns) continue;
    if (side.length !== 1 || extentOf(others) < 4 * lanes || others.at(-1)!.extent % 4 !== 0) continue;
    const found = written(c, side[0]!, own, others, target, label);
    if (found) return found;
  }
  return undefined;
}

function written(
  c: Contraction,
  side: Value,
  own: readonly Var[],
  others: readonly Var[],
  target: Target,
  label: string,
): Windowed | undefined {
  const { k, reduce } = c;
  const fresh = new FreshVars(k, takenBy(c));
  const all = windowsOf(side, [...c.batch, ...own], reduce.vars, fresh);
  // Innermost a summed variable of whole fours: one that is in no window (channels), or else one whose window is then not
  // joined (the pixels of a line, under a gradient by the weights, once for each tap).
  const free = reduce.vars.filter((v) => side.free.has(v) && !all.some((w) => w.summed === v));
  const isInner = (v: Var) => v.extent % 4 === 0;
  const inner = free.findLast(isInner) ?? all.map((w) => w.summed).findLast(isInner);
  const windows = all.filter((w) => w.summed !== inner);
  if (!inner || windows.length === 0) return undefined;
  const joined = join(k, side, windows);
  const hidden = windows.flatMap(({ axis, summed }) => [axis, summed]);
  if (!joined || hidden.some((v) => joined.free.has(v))) return undefined;
  const open = reduce.vars.filter((v) => !hidden.includes(v));
  const outer = [...c.batch, ...own, ...open].filter((v) => v !== inner && joined.free.has(v));
  const axes = [...outer, ...windows.map((w) => w.position), inner];
  const scratch: BufferRef = {
    name: `${c.stores[0]!.buffer.name}:windows`,
    dtype: side.type === "bool" ? "u32" : side.type as "f32",
    size: extentOf(axes),
  };
  if (scratch.size * 4 > target.limits.bindingBytes || side.type === "bool") return undefined;
  const indexOf = (at: (v: Var) => Value): Value =>
    k.affine(axes.map((v, i) => [at(v), extentOf(axes.slice(i + 1))] as const));
  const root: Root = {
    value: joined,
    shape: axes.map((v) => v.extent),
    axes,
    buffer: scratch,
    index: indexOf((v) => v),
  };

  // The steps: outer variables, fours of the inner one, windows, one of the four.
  const [fours, one] = [fresh.of(inner.extent / 4), fresh.of(4)];
  const order = [...open.filter((v) => v !== inner), fours, ...windows.map((w) => w.summed), one]
    .filter((v): v is Var => v.kind === "var");
  const flat = fresh.of(extentOf(order)) as Var;
  const decoded = new Map<Value, Value>();
  let rest: Value = flat;
  for (const v of [...order].reverse()) {
    decoded.set(v, k.imod(rest, v.extent));
    rest = k.idiv(rest, v.extent);
  }
  const at = (v: Value): Value => decoded.get(v) ?? v;
  decoded.set(inner, k.affine([[at(fours), 4], [at(one), 1]]));
  const load = k.load(
    scratch,
    indexOf((v) => {
      const window = windows.find((w) => w.position === v);
      if (!window) return at(v);
      const { axis, summed, stride, dilation, offset } = window;
      return k.affine([[axis, stride], [at(summed), dilation]], offset);
    }),
  );
  const stepped = (sum: Reduce) =>
    k.reduceOver(sum.op, [flat], k.substitute(sum.body, new Map([[side, load], ...decoded])));
  const sum = stepped(reduce);
  const riding = c.riders.map((r) => stepped(r.reduce));
  if (sum.kind !== "reduce" || !riding.every((r) => r.kind === "reduce")) return undefined;
  // Neighboring rows are those whose windows share most.
  const last = windows.findLast((w) => own.includes(w.axis))?.axis;
  const rows = last ? [...own.filter((v) => v !== last), last] : own;
  const sides = cutSides(sum.body, { batch: c.batch, rows, columns: others });
  return {
    written: { values: k, roots: [root], label: `${label}: windows` },
    scratch,
    c: {
      ...c,
      reduce: sum,
      rows,
      columns: others,
      ...sides,
      stores: c.stores.map((s) => instead(k, s, reduce, sum)),
      riders: c.riders.map((r, i) => ({
        reduce: riding[i]!,
        store: instead(k, r.store, r.reduce, riding[i]!),
      })),
      width: 4,
      windows: { steps: stepsOf(order, target.contraction.windowSteps) },
    },
  };
}

const instead = (k: Values, store: Store, old: Value, sum: Value): Store => ({
  ...store,
  value: k.substitute(store.value, new Map([[old, sum]])),
});

/** Steps of a chunk: fours in as many of the inner variables as go into it whole, and an even part of the next one. */
function stepsOf(order: readonly Var[], most: number): number {
  let steps = 1;
  for (const v of [...order].reverse()) {
    let part = Math.min(v.extent, Math.floor(most / steps));
    while (v.extent % part !== 0) part--;
    steps *= part;
    if (part < v.extent) break;
  }
  return steps;
}

/** Pairs of variables that occur together in index arithmetic, and in one proportion. */
function windowsOf(
  side: Value,
  axes: readonly Var[],
  summed: readonly Var[],
  fresh: FreshVars,
): Window[] {
  const windows: Window[] = [];
  const free = new Set(axes.filter((v) => side.free.has(v)));
  for (const u of summed) {
    if (!side.free.has(u)) continue;
    const linears = linearsWith(side, u);
    const partner = [...free].find((i) => {
      if (Math.min(i.extent, u.extent) > longest) return false;
      const ratios = linears.map((l) => ratio(l, i, u));
      return ratios.length > 0 && ratios.every((r) => r && r[0] === ratios[0]![0] && r[1] === ratios[0]![1]);
    });
    if (!partner) continue;
    const [stride, dilation] = ratio(linears[0]!, partner, u)!;
    const offset = dilation < 0 ? -dilation * (u.extent - 1) : 0;
    const extent = stride * (partner.extent - 1) + Math.abs(dilation) * (u.extent - 1) + 1;
    // Windows that overlap little are not worth writing down.
    if (extent > overlap * partner.extent * u.extent) continue;
    free.delete(partner);
    const position = fresh.of(extent) as Var;
    windows.push({ axis: partner, summed: u, stride, dilation, position, offset });
  }
  // In the order of the axes, so that neighbors stay neighbors.
  return windows.sort((a, b) => axes.indexOf(a.axis) - axes.indexOf(b.axis));
}

function linearsWith(value: Value, v: Var): Linear[] {
  const found: Linear[] = [];
  const seen = new Set<Value>();
  const go = (x: Value): void => {
    if (seen.has(x) || !x.free.has(v)) return;
    seen.add(x);
    if (x.kind === "linear") found.push(x);
    childrenOf(x).forEach(go);
  };
  go(value);
  return found;
}

const coefficientOf = (l: Linear, v: Var): number => l.terms.find((t) => t.atom === v)?.coefficient ?? 0;

/** s and d, in lowest terms with s > 0, if the form has s·i + d·u in some multiple. */
function ratio(l: Linear, i: Var, u: Var): readonly [number, number] | undefined {
  const [ci, cu] = [coefficientOf(l, i), coefficientOf(l, u)];
  if (ci === 0 || cu === 0) return undefined;
  const g = gcd(Math.abs(ci), Math.abs(cu)) * Math.sign(ci);
  const [s, d] = [ci / g, cu / g];
  return s <= farthest && Math.abs(d) <= farthest ? [s, d] : undefined;
}

/** The value over window positions; undefined where an axis occurs in another way. */
function join(k: Values, value: Value, windows: readonly Window[]): Value | undefined {
  const memo = new Map<Value, Value>();
  let sound = true;
  const go = (v: Value): Value => {
    const known = memo.get(v);
    if (known) return known;
    let out: Value;
    if (v.kind === "linear") {
      const parts = new Map<Value, number>(v.terms.map((t) => [t.atom, t.coefficient]));
      let constant = v.constant;
      for (const { axis, summed, stride, dilation, position, offset } of windows) {
        const [ci, cu] = [parts.get(axis) ?? 0, parts.get(summed) ?? 0];
        if (ci === 0 && cu === 0) continue;
        if (ci * dilation !== cu * stride) sound = false;
        parts.delete(axis);
        parts.delete(summed);
        parts.set(position, ci / stride);
        constant -= ci / stride * offset;
      }
      out = k.affine([...parts].map(([atom, c]) => [go(atom), c] as const), constant);
    } else out = k.map(v, go);
    memo.set(v, out);
    return out;
  };
  const joined = go(value);
  return sound ? joined : undefined;
}
