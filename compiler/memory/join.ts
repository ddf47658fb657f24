/**
 * Concat elimination: where a group does nothing but join tensors that nobody else reads, each is born inside the result
 * ("slice of", DESIGN §2), and the group has no kernel. dq, dk, dv into dqkv is that.
 *
 * Read off the value: a chain of guards over ranges of one axis, each around a single load. Between a part and its place
 * may stand views (heads permuted and merged): they are index maps, and are turned around here. A part's element at
 * index i is loaded at Σ coefficient · axis of the joined tensor; each axis of the part is found again by its stride.
 */

import type { Tensor } from "../graph/node.ts";
import type { Group } from "../fuse/group.ts";
import { loadsOf } from "../fuse/group.ts";
import { denseStorage, lowerGroup, type Storage } from "../fuse/lower_group.ts";
import { type Load, type Value, type Var } from "../kernel/value.ts";
import { type Values } from "../kernel/values.ts";
import { splitAxes } from "../schedule/axes.ts";

export interface Join {
  readonly group: Group;
  readonly result: Tensor;
  /** Where each part lies inside the result. */
  readonly parts: readonly { readonly tensor: Tensor; readonly storage: Storage }[];
}

interface Segment {
  readonly lo: number;
  readonly hi: number;
  readonly load: Load;
}

/**
 * The groups that need no kernel.
 *
 * @param movable Is a tensor a temporary that may be placed freely?
 * @param whole May a result keep the buffer of its own that its parts are placed in?
 */
export function findJoins(
  groups: readonly Group[],
  movable: (tensor: Tensor) => boolean,
  whole: (tensor: Tensor) => boolean,
): Join[] {
  const readers = new Map<string, number>();
  for (const g of groups) for (const t of loadsOf(g)) readers.set(t.key, (readers.get(t.key) ?? 0) + 1);
  const taken = new Set<string>();
  const joins: Join[] = [];
  for (const group of groups) {
    if (group.roots.length !== 1 || !whole(group.roots[0]!) || group.nodes.size > 40) continue;
    const loads = loadsOf(group);
    if (
      loads.length < 2 || !loads.every((t) => movable(t) && readers.get(t.key) === 1 && !taken.has(t.key))
    ) continue;
    if ([...group.nodes].some((n) => !n.op.view && n !== group.roots[0]!.node)) continue;
    if (taken.has(group.roots[0]!.key)) continue;
    const join = joinOf(group, loads);
    if (!join) continue;
    for (const part of join.parts) taken.add(part.tensor.key);
    // A result that is itself a part of another join would have to be moved along.
    taken.add(join.result.key);
    joins.push(join);
  }
  return joins;
}

function joinOf(group: Group, loads: readonly Tensor[]): Join | undefined {
  const { values: k, roots } = lowerGroup(group);
  const root = roots[0]!;
  const found = segmentsOf(root.value, root.axes);
  if (!found || found.segments.length !== loads.length) return undefined;
  const { axis, segments } = found;
  const storage = denseStorage(group.roots[0]!);
  const parts: { tensor: Tensor; storage: Storage }[] = [];
  for (const segment of segments) {
    const tensor = loads.find((t) => denseStorage(t).buffer.name === segment.load.buffer.name);
    if (!tensor || parts.some((p) => p.tensor === tensor)) return undefined;
    const placed = invert(k, tensor, segment, axis, root.axes, root.index, storage);
    if (!placed) return undefined;
    parts.push({ tensor, storage: placed });
  }
  return { group, result: group.roots[0]!, parts };
}

/** The ranges of one axis and what is loaded in each, if the value is nothing else. */
function segmentsOf(value: Value, axes: readonly Value[]): { axis: Var; segments: Segment[] } | undefined {
  const segments: Segment[] = [];
  let axis: Var | undefined;
  let rest: Value = value;
  while (rest.kind === "guard") {
    const range = rangeOf(rest.condition);
    if (!range || !axes.includes(range.axis) || (axis && axis !== range.axis) || rest.value.kind !== "load") {
      return undefined;
    }
    axis = range.axis;
    segments.push({ lo: range.lo, hi: range.hi, load: rest.value });
    rest = rest.otherwise;
  }
  if (!axis || rest.kind !== "const") return undefined;
  const covered = segments.reduce((n, s) => n + s.hi - s.lo, 0);
  return covered === axis.extent ? { axis, segments } : undefined;
}

/** lo ≤ axis < hi, from `and` of comparisons with constants. */
function rangeOf(condition: Value): { axis: Var; lo: number; hi: number } | undefined {
  if (condition.kind !== "binary") return undefined;
  const { op, a, b } = condition;
  if (op === "and") {
    const [p, q] = [rangeOf(a), rangeOf(b)];
    if (!p || !q || p.axis !== q.axis) return undefined;
    return { axis: p.axis, lo: Math.max(p.lo, q.lo), hi: Math.min(p.hi, q.hi) };
  }
  if (op === "le" && a.kind === "const" && b.kind === "var") return { axis: b, lo: a.value, hi: b.extent };
  if (op === "lt" && b.kind === "const" && a.kind === "var") return { axis: a, lo: 0, hi: b.value };
  return undefined;
}

/** The layout of a part inside the joined buffer, or undefined where the views between are no plain index map. */
function invert(
  k: Values,
  tensor: Tensor,
  { lo, hi, load }: Segment,
  axis: Var,
  axes: readonly Value[],
  index: Value,
  joined: Storage,
): Storage | undefined {
  const own = k.fresh(hi - lo, [...axes, load.index]);
  const shift = new Map<Value, Value>([[axis, k.iadd(own, lo)]]);
  let from = k.substitute(load.index, shift);
  let to = k.substitute(index, shift);
  // Divisions left over from merged heads go when the axis is split where they divide.
  const vars = [...new Set([...from.free, ...to.free])];
  const splits = splitAxes(k, vars, [from]);
  if (splits) {
    const map = new Map<Value, Value>(
      [...splits].map(([v, [high, low]]) => [v, k.affine([[high, low.extent], [low, 1]])] as const),
    );
    from = k.substitute(from, map);
    to = k.substitute(to, map);
  }
  const source = k.linearOf(from);
  const target = k.linearOf(to);
  if (source.constant !== 0) return undefined;
  const axesOfPart = [...source.terms];
  if (axesOfPart.some(([atom]) => atom.kind !== "var")) return undefined;
  const dense = denseStorage(tensor);
  const shape = tensor.shape as readonly number[];
  // A part that the result repeats (a broadcast) has fewer elements than places.
  const extents = axes.filter((a) => a !== axis).map((a) => a.kind === "var" ? a.extent : 1);
  if (extents.reduce((n, d) => n * d, hi - lo) !== dense.buffer.size) return undefined;
  if (axesOfPart.reduce((n, [v]) => n * (v as Var).extent, 1) !== dense.buffer.size) return undefined;
  const strides = shape.map((extent, i) => {
    if (extent === 1) return 0;
    const match = axesOfPart.find(([v, c]) => c === dense.strides[i] && (v as Var).extent === extent);
    return match ? target.terms.get(match[0]) : undefined;
  });
  if (strides.some((s) => s === undefined)) return undefined;
  return { buffer: joined.buffer, strides: strides as number[], offset: target.constant };
}
