/**
 * Packed maps: many small groups that do the same to different tensors become one kernel (SCHEDULES §4).
 *
 * An optimizer's update is the case that matters: per parameter p, m, v and g in, p, m and v out, fifty times. The
 * groups are found, not declared: two maps are *isomorphic* if their values are equal once sizes and buffers are left
 * out. Their i-th operands are then laid side by side in a slab, and one loop runs over the slabs.
 *
 * Numbers in which isomorphic groups differ (a weight decay that only matrices have) are chosen by position: members
 * are sorted so that equal ones are neighbors, and a few comparisons with a boundary tell them apart.
 *
 * One kernel for several groups runs later than some of them would have; where that would be too late, since what they
 * read is overwritten in between, they are left out.
 *
 * What a slab holds between its members belongs to nobody: it is computed along and never read for itself.
 */

import type { Group } from "../fuse/group.ts";
import { isProgramNode, loadsOf } from "../fuse/group.ts";
import { lowerGroup, type Lowering } from "../fuse/lower_group.ts";
import { deviceBytes } from "../graph/dtype.ts";
import { type BufferRef, childrenOf, type Value, type Var } from "../kernel/value.ts";
import { Values } from "../kernel/values.ts";
import { mergeAxes } from "../schedule/axes.ts";
import { laidOut, liesAs, type StateLayout } from "../program/state_layout.ts";
import type { LoweredGroup } from "../schedule/group.ts";
import type { BufferInfo, Placement } from "./placement.ts";
import { conflicts, type Edges, orderUnits } from "./order.ts";
import { alignment } from "./plan.ts";

/** Buffers laid side by side, so that one kernel can bind them as one. */
export interface Slab extends BufferInfo {
  /** Offsets in bytes, multiples of 256. */
  readonly members: readonly { readonly buffer: string; readonly offset: number }[];
}

/** One kernel for several groups. */
export interface PackedGroup {
  readonly members: readonly Group[];
  readonly lowered: LoweredGroup;
}

export interface Packing {
  /** What runs, in order. */
  readonly order: readonly (Group | PackedGroup)[];
  readonly slabs: readonly Slab[];
}

/** What runs where nothing is packed. */
export const unpacked = ({ order }: Placement): Packing => ({ order, slabs: [] });

export const isPacked = (g: Group | PackedGroup): g is PackedGroup => "members" in g;

/** More classes of constants than this in one slab would cost more comparisons than a dispatch is worth. */
const maxClasses = 8;

export interface PackOptions {
  readonly bindingBytes: number;
  /** Where states lie already, for a program that uses the memory of another. */
  readonly layout?: StateLayout | undefined;
  readonly numerics?: Lowering;
}

export function packGroups(placement: Placement, options: PackOptions): Packing {
  const { bindingBytes, layout, numerics } = options;
  const families = new Map<string, Candidate[]>();
  for (const [position, group] of placement.order.entries()) {
    const candidate = candidateOf(group, placement, position, numerics);
    if (!candidate) continue;
    const family = families.get(candidate.signature);
    if (family) family.push(candidate);
    else families.set(candidate.signature, [candidate]);
  }
  const slabs: Slab[] = [];
  const packed = new Map<Group, PackedGroup>();
  const units = new Units(placement);
  for (const family of families.values()) {
    for (const chunk of chunks(family, bindingBytes, layout)) {
      const together = units.together(exclusive(chunk, slabs));
      for (const usable of laidSideBySide(together, layout)) {
        if (usable.length < 2) continue;
        const made = pack(usable, slabs.length, placement);
        slabs.push(...made.slabs);
        for (const c of usable) packed.set(c.group, made.group);
        units.join(made.group.members);
      }
    }
  }
  const order = units.order().map((unit) => packed.get(unit[0]!) ?? unit[0]!);
  return { order, slabs };
}

/** Groups that run as one kernel. */
type Unit = readonly Group[];

/**
 * What runs as one, so far. A unit runs where the last of its members would have, if it can: what it reads may have been
 * overwritten by then, as a state is by its new contents.
 */
class Units {
  readonly #placement: Placement;
  readonly #edges: Edges;
  readonly #homes: Map<Group, Unit>;

  constructor(placement: Placement) {
    this.#placement = placement;
    this.#edges = conflicts(placement.order, (t) => placement.storage(t).buffer.name);
    this.#homes = new Map(placement.order.map((g) => [g, [g]]));
  }

  /** Those of the candidates that can run as one. */
  together(candidates: readonly Candidate[]): readonly Candidate[] {
    const fits = (some: readonly Candidate[]) => this.#ordered(some.map((c) => c.group)) !== undefined;
    if (fits(candidates)) return candidates;
    return candidates.reduce<readonly Candidate[]>((some, c) => fits([...some, c]) ? [...some, c] : some, []);
  }

  join(unit: Unit): void {
    for (const g of unit) this.#homes.set(g, unit);
  }

  order(): readonly Unit[] {
    return this.#ordered([])!;
  }

  #ordered(unit: Unit): readonly Unit[] | undefined {
    const members = new Set(unit);
    const homeOf = (g: Group): Unit => members.has(g) ? unit : this.#homes.get(g)!;
    const last = new Map(this.#placement.order.map((g) => [homeOf(g), g]));
    const units = this.#placement.order.filter((g) => last.get(homeOf(g)) === g).map(homeOf);
    return orderUnits(units, this.#edges);
  }
}

/** A group that could be packed: a map over flat tensors whose results nobody reads any more in this run. */
interface Candidate {
  readonly group: Group;
  readonly position: number;
  readonly signature: string;
  readonly lowered: LoweredGroup;
  readonly values: readonly Value[];
  readonly axis: Var;
  /** Buffers read and written at the flat position, in order of first appearance. */
  readonly operands: readonly BufferRef[];
  /** Buffers of which one number is read, the same by all members: they are bound for themselves. */
  readonly scalars: ReadonlySet<string>;
  /** Constants in order of appearance. */
  readonly constants: readonly number[];
}

function candidateOf(
  group: Group,
  placement: Placement,
  position: number,
  numerics: Lowering | undefined,
): Candidate | undefined {
  if (isProgramNode(group.roots[0]!.node)) return undefined;
  const keys = new Set(group.roots.map((r) => r.key));
  const later = placement.order.slice(position + 1);
  const stores = new Set(group.roots.map((r) => placement.storage(r).buffer.name));
  for (const g of later) {
    for (const t of loadsOf(g)) {
      if (keys.has(t.key) || stores.has(placement.storage(t).buffer.name)) return undefined;
    }
  }
  const lowered = lowerGroup(group, placement.storage, numerics);
  const vars = lowered.roots[0]!.axes.filter((a): a is Var => a.kind === "var");
  const merged = mergeAxes(lowered.values, vars, lowered.roots.flatMap((r) => [r.value, r.index]));
  const axis = merged.vars[0];
  if (merged.vars.length !== 1 || !axis) return undefined;
  const k = lowered.values;
  const values = lowered.roots.map((r) => k.substitute(r.value, merged.substitution));
  if (lowered.roots.some((r) => k.substitute(r.index, merged.substitution) !== axis)) return undefined;
  const operands = new Map<string, BufferRef>();
  const scalars = new Set<string>();
  const constants: number[] = [];
  const names = new Map<Value, number>();
  let flat = true;
  const text: string[] = [];
  const visit = (v: Value): number => {
    const known = names.get(v);
    if (known !== undefined) return known;
    let line: string;
    if (v.kind === "load") {
      if (v.index === axis) {
        operands.set(v.buffer.name, v.buffer);
        line = `load ${[...operands.keys()].indexOf(v.buffer.name)} ${v.buffer.dtype}`;
      } else if (v.index.kind === "const") {
        scalars.add(v.buffer.name);
        line = `load ${v.buffer.name}[${v.index.value}]`;
      } else {
        flat = false;
        line = "?";
      }
    } else if (v.kind === "const" && v.type === "f32") {
      constants.push(v.value);
      line = "const";
    } else {
      if (
        v.free.size > 0 && (v.kind === "var" || v.kind === "linear" || v.kind === "div" || v.kind === "mod")
      ) flat = false;
      if (v.kind === "reduce" || v.kind === "prefix" || v.kind === "param") flat = false;
      const detail = "op" in v ? v.op : v.kind === "const" ? `${v.type} ${v.bits}` : "";
      line = `${v.kind} ${detail} ${v.type} ${childrenOf(v).map(visit).join(" ")}`;
    }
    text.push(line);
    // A constant is named anew wherever it is met: two that are equal in one member may differ in the next.
    if (line !== "const") names.set(v, text.length - 1);
    return text.length - 1;
  };
  for (const [i, value] of values.entries()) {
    const root = lowered.roots[i]!;
    const result = visit(value);
    operands.set(root.buffer.name, root.buffer);
    text.push(`store ${[...operands.keys()].indexOf(root.buffer.name)} ${root.buffer.dtype} ${result}`);
  }
  if (!flat) return undefined;
  const list = [...operands.values()];
  if (list.some((b) => !["state", "temporary"].includes(placement.buffers.get(b.name)!.role))) {
    return undefined;
  }
  const roles = list.map((b) => placement.buffers.get(b.name)!.role).join();
  return {
    group,
    position,
    signature: `${roles}\n${text.join("\n")}`,
    lowered,
    values,
    axis,
    operands: list,
    scalars,
    constants,
  };
}

/** Elements between the starts of neighbors are whole alignments in every dtype of the slab. */
const stepOf = (c: Candidate): number => alignment / Math.min(...c.operands.map((o) => deviceBytes(o.dtype)));

/** Splits a family where a slab would outgrow one binding, or would need too many comparisons. */
function chunks(
  family: readonly Candidate[],
  bindingBytes: number,
  layout: StateLayout | undefined,
): Candidate[][] {
  const place = (c: Candidate) =>
    c.operands.map((o) => laidOut(layout, o.name)?.offset).find((at) => at !== undefined) ?? c.position;
  const byConstants = [...family].sort((a, b) =>
    a.constants.join() === b.constants.join()
      ? place(a) - place(b)
      : a.constants.join() < b.constants.join()
      ? -1
      : 1
  );
  const out: Candidate[][] = [];
  let bytes = 0;
  let classes = new Set<string>();
  for (const c of byConstants) {
    const step = stepOf(c);
    const own = Math.ceil(c.axis.extent / step) * step *
      Math.max(...c.operands.map((o) => deviceBytes(o.dtype)));
    classes.add(c.constants.join());
    if (out.length === 0 || bytes + own > bindingBytes || classes.size > maxClasses) {
      out.push([]);
      bytes = 0;
      classes = new Set([c.constants.join()]);
    }
    out.at(-1)!.push(c);
    bytes += own;
  }
  return out;
}

/** Leaves out groups whose buffers lie in another slab already, twice in this one, or beside it in its kernel. */
function exclusive(chunk: readonly Candidate[], slabs: readonly Slab[]): Candidate[] {
  const taken = new Set(slabs.flatMap((s) => s.members.map((m) => m.buffer)));
  return chunk.filter((c) => {
    if (c.operands.some((o) => taken.has(o.name) || c.scalars.has(o.name))) return false;
    for (const o of c.operands) taken.add(o.name);
    return true;
  });
}

/** Cuts a chunk where states that lie somewhere already don't lie as the slabs would have them. */
function laidSideBySide(chunk: readonly Candidate[], layout: StateLayout | undefined): Candidate[][] {
  if (layout === undefined) return [[...chunk]];
  const runs: Candidate[][] = [];
  for (const c of chunk) {
    const run = [...(runs.at(-1) ?? []), c];
    const { starts } = startsOf(run);
    const fits = c.operands.every(({ dtype }, i) =>
      liesAs(layout, run.map((m) => m.operands[i]!.name), starts.map((at) => at * deviceBytes(dtype)))
    );
    if (run.length > 1 && fits) runs[runs.length - 1] = run;
    else runs.push([c]);
  }
  return runs;
}

/** Where the members of a slab begin, in elements, and how many there are with all gaps. */
function startsOf(members: readonly Candidate[]): { starts: number[]; total: number } {
  const step = stepOf(members[0]!);
  const starts: number[] = [];
  let total = 0;
  for (const m of members) {
    starts.push(total);
    total += Math.ceil(m.axis.extent / step) * step;
  }
  return { starts, total };
}

function pack(
  members: readonly Candidate[],
  number: number,
  placement: Placement,
): { slabs: Slab[]; group: PackedGroup } {
  const first = members[0]!;
  const { starts, total } = startsOf(members);
  const slabs = first.operands.map(({ dtype, name }, i): Slab => ({
    name: `slab${number + i}`,
    dtype,
    size: total,
    role: placement.buffers.get(name)!.role,
    members: members.map((m, j) => ({
      buffer: m.operands[i]!.name,
      offset: starts[j]! * deviceBytes(dtype),
    })),
  }));

  const { makers } = first.lowered.values;
  const k = new Values(undefined, makers && new Map());
  const axes = k.axes([total]);
  const at = axes[0]!;
  const slabOf = new Map(first.operands.map((o, i) => [o.name, slabs[i]!]));
  // Constants are met in the order in which they were listed: the walk is the same, and neither remembers one.
  let met = 0;
  const made = new Map<Value, Value>();
  const rebuild = (v: Value): Value => {
    const known = made.get(v);
    if (known) return known;
    let out: Value;
    if (v.kind === "load" && v.index === first.axis) out = k.load(slabOf.get(v.buffer.name)!, at);
    else if (v.kind === "const" && v.type === "f32") {
      const place = met++;
      return byPosition(k, at, members.map((m) => m.constants[place]!), starts);
    } else if (v.kind === "const") out = k.const(v.value, v.type);
    else {
      const parts = childrenOf(v).map(rebuild);
      let next = 0;
      out = k.madeFor(makers?.get(v), () => k.map(v, () => parts[next++]!));
    }
    made.set(v, out);
    return out;
  };
  const roots = first.values.map((value, i) => {
    const root = first.lowered.roots[i]!;
    return { value: rebuild(value), shape: [total], axes, buffer: slabOf.get(root.buffer.name)!, index: at };
  });
  return { slabs, group: { members: members.map((m) => m.group), lowered: { values: k, roots, label: "" } } };
}

/** The constant of the member at a position; one comparison per boundary between different ones. */
function byPosition(k: Values, at: Value, constants: readonly number[], starts: readonly number[]): Value {
  let out: Value = k.const(constants.at(-1)!);
  for (let i = constants.length - 2; i >= 0; i--) {
    if (Object.is(constants[i], constants[i + 1])) continue;
    out = k.select(k.lt(at, k.int(starts[i + 1]!)), k.const(constants[i]!), out);
  }
  return out;
}
