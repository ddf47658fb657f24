/**
 * Where every stored tensor lives, before anything has an address: which buffer, and whose memory it shares.
 *
 *   slice of     tensors that are only joined are born inside the result (join.ts)
 *   same place   a state's new value is written over the old one, where that is sound; else it is a temporary, copied
 *                at the end of the run
 *   its own      everything else: a dense buffer
 *
 * In place is sound iff each lane reads all it needs of an element before it writes it and nobody else reads it in that
 * dispatch (SEMANTICS §3): every load of the old contents is at the very index of the store, by the lane that stores,
 * and every other group that reads the old contents can run before.
 */

import { InternalError } from "../errors.ts";
import { type Graph, resultsOf } from "../graph/graph.ts";
import type { Tensor } from "../graph/node.ts";
import { deviceBytes, type DType } from "../graph/dtype.ts";
import { type Group, isLargeConstant, isProgramNode, loadsOf } from "../fuse/group.ts";
import { denseStorage, lowerGroup, type Storage } from "../fuse/lower_group.ts";
import { classify, isRefused } from "../fuse/legal.ts";
import { type Value, walk } from "../kernel/value.ts";
import { rowInPlaceSafe } from "../schedule/row/in_place.ts";
import { findJoins } from "./join.ts";
import type { LoweredGroup } from "../schedule/group.ts";
import { dataEdges, precedes, topological } from "./order.ts";

export type BufferRole = "input" | "state" | "constant" | "temporary" | "output";

export interface BufferInfo {
  readonly name: string;
  readonly dtype: DType;
  /** Elements. */
  readonly size: number;
  readonly role: BufferRole;
}

export interface StateCopy {
  /** Path of the state. */
  readonly state: string;
  readonly from: string;
  readonly to: string;
  /** Why the new value could not be written in place. */
  readonly because: string;
}

export interface Placement {
  readonly order: readonly Group[];
  readonly buffers: ReadonlyMap<string, BufferInfo>;
  /** Buffer and layout of every leaf and every stored tensor. */
  storage(tensor: Tensor): Storage;
  /** Copies at the end of a run. */
  readonly copies: readonly StateCopy[];
}

export const bytesOf = ({ dtype, size }: Pick<BufferInfo, "dtype" | "size">): number =>
  size * deviceBytes(dtype);

export function placeTensors(graph: Graph, groups: readonly Group[]): Placement {
  const storages = new Map<string, Storage>();
  const buffers = new Map<string, BufferInfo>();
  const copies: StateCopy[] = [];
  const own = (tensor: Tensor, role: BufferRole, name?: string) => {
    const dense = denseStorage(tensor);
    const buffer = name === undefined ? dense.buffer : { ...dense.buffer, name };
    buffers.set(buffer.name, { name: buffer.name, dtype: buffer.dtype, size: buffer.size, role });
    storages.set(tensor.key, { ...dense, buffer });
  };
  for (const node of graph.nodes) {
    const leaf = resultsOf(node)[0]!;
    if (node.op.name === "input") own(leaf, "input", `input:${node.attrs.name}`);
    else if (node.op.name === "state") own(leaf, "state", `state:${node.attrs.path}`);
    else if (isLargeConstant(node)) own(leaf, "constant");
  }
  const wanted = new Set(graph.writes.map((w) => w.value.key));
  const outputs = new Set(Object.values(graph.outputs).map((t) => t.key));
  for (const group of groups) {
    for (const root of group.roots) own(root, outputs.has(root.key) ? "output" : "temporary");
  }

  const joins = findJoins(
    groups,
    (t) => buffers.get(t.key)?.role === "temporary" && !wanted.has(t.key),
    (t) => !wanted.has(t.key),
  );
  for (const { parts } of joins) {
    for (const { tensor, storage } of parts) {
      buffers.delete(tensor.key);
      storages.set(tensor.key, storage);
    }
  }
  const joined = new Set(joins.map((j) => j.group));
  const running = groups.filter((g) => !joined.has(g));

  const edges = dataEdges(running, joins);
  const readersOf = new Map<string, Group[]>();
  const writerOf = new Map<string, Group>();
  for (const g of running) {
    for (const t of loadsOf(g)) readersOf.set(t.key, [...readersOf.get(t.key) ?? [], g]);
    for (const r of g.roots) writerOf.set(r.key, g);
  }
  const lowered = new Map<Group, Lowered>();
  for (const { state, value } of graph.writes) {
    const writer = writerOf.get(value.key)!;
    const readers = (readersOf.get(state.key) ?? []).filter((g) => g !== writer);
    const late = readers.find((r) => precedes(writer, r, edges));
    const because = late
      ? "a kernel that needs the new value also reads the old one"
      : inPlaceRefusal(writer, value, state, lowered);
    const target = storages.get(state.key)!;
    if (because === undefined) {
      const temporary = storages.get(value.key)!.buffer.name;
      buffers.delete(temporary);
      storages.set(value.key, target);
      for (const r of readers) edges.get(writer)!.add(r);
    } else {
      const from = storages.get(value.key)!.buffer.name;
      copies.push({ state: state.node.attrs.path, from, to: target.buffer.name, because });
    }
  }
  return {
    order: topological(running, edges),
    buffers,
    copies,
    storage(tensor) {
      const found = storages.get(tensor.key);
      if (!found) throw new InternalError("memory", `${tensor} is stored nowhere`);
      return found;
    },
  };
}

/**
 * States whose old and new contents turned out to be two buffers in a kernel that thereby binds more than `limit`.
 * Fusion had counted them once (`fuse/expected_storage.ts`).
 */
export function overfull({ order, copies, storage }: Placement, limit: number): readonly string[] {
  return order.flatMap((group) => {
    const bound = new Set([...loadsOf(group), ...group.roots].map((t) => storage(t).buffer.name));
    if (bound.size <= limit) return [];
    return copies.filter((c) => bound.has(c.from) && bound.has(c.to)).map((c) => c.state);
  });
}

/** A group's values and what legality says of them; one group writes several states. */
type Lowered = LoweredGroup & { readonly verdict: ReturnType<typeof classify> };

/** Why a group may not write a state's new value over the old one; undefined where it may. */
function inPlaceRefusal(
  group: Group,
  value: Tensor,
  state: Tensor,
  memory: Map<Group, Lowered>,
): string | undefined {
  const reads = loadsOf(group).some((t) => t.key === state.key);
  if (!reads) return undefined;
  if (isProgramNode(value.node)) return `${value.node.op.name} may read what it has already overwritten`;
  let known = memory.get(group);
  if (!known) {
    const own = lowerGroup(group);
    memory.set(group, known = { ...own, verdict: classify(own, Infinity) });
  }
  const { verdict, ...lowered } = known;
  if (isRefused(verdict)) return verdict.refused;
  const root = lowered.roots[group.roots.findIndex((r) => r.key === value.key)]!;
  const name = denseStorage(state).buffer.name;
  const readsIn = (values: readonly Value[]): Value[] => {
    const found: Value[] = [];
    walk(values, (v) => {
      if (v.kind === "load" && v.buffer.name === name) found.push(v.index);
    });
    return found;
  };
  if (readsIn(lowered.roots.map((r) => r.value)).some((index) => index !== root.index)) {
    return "another element of the old contents is read than is written";
  }
  switch (verdict.kind) {
    case "map":
      return undefined; // a lane evaluates all results of its elements before it stores any
    case "row": {
      const safety = rowInPlaceSafe(lowered, root, name);
      return safety.safe ? undefined : safety.because;
    }
    case "scan":
      return "the walk along the row may come back to what it has overwritten";
    case "contraction":
      if (verdict.main && readsIn([verdict.main.body]).length > 0) {
        return "the loop of a contraction reads the old contents again and again";
      }
      if (lowered.roots.some((r) => r !== root && readsIn([r.value]).length > 0)) {
        return "another result of the contraction may be computed after the old contents are gone";
      }
  }
  return undefined;
}
