/**
 * Where every stored tensor lives, before anything has an address: which buffer, and whose memory it shares.
 *
 *   slice of     tensors that are only joined are born inside the result (join.ts)
 *   same place   a state's new value is written over the old one, where that is sound (in_place.ts); else it is a
 *                temporary, copied at the end of the run. A temporary lies over one that its kernel is the last to read
 *   its own      everything else: a dense buffer
 */

import { InternalError } from "../errors.ts";
import { type Graph, resultsOf } from "../graph/graph.ts";
import type { Tensor } from "../graph/node.ts";
import { deviceBytes, type DType } from "../graph/dtype.ts";
import { type Group, isLargeConstant, loadsOf } from "../fuse/group.ts";
import { denseStorage, type Storage } from "../fuse/lower_group.ts";
import { InPlace } from "./in_place.ts";
import { findJoins } from "./join.ts";
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

/** @param keep Every temporary gets memory of its own, so that all can be looked at after a run. */
export function placeTensors(graph: Graph, groups: readonly Group[], keep = false): Placement {
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
  const inPlace = new InPlace();
  for (const { state, value } of graph.writes) {
    const writer = writerOf.get(value.key)!;
    const readers = (readersOf.get(state.key) ?? []).filter((g) => g !== writer);
    const late = readers.find((r) => precedes(writer, r, edges));
    const because = late
      ? "a kernel that needs the new value also reads the old one"
      : inPlace.refusal(writer, value, state);
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
  if (!keep) {
    // Not what lies side by side with others or inside another: that has its place already.
    const fixed = new Set(
      joins.flatMap((j) => [j.result, ...j.parts.map((p) => p.tensor)]).map((t) => t.key),
    );
    for (const g of running) {
      if (g.roots.some((r) => wanted.has(r.key))) { for (const t of loadsOf(g)) fixed.add(t.key); }
    }
    const free = (t: Tensor) =>
      buffers.get(storages.get(t.key)!.buffer.name)?.role === "temporary" && !wanted.has(t.key) &&
      !fixed.has(t.key);
    for (const writer of topological(running, edges)) {
      for (const { value, old } of inPlace.overlays(writer, free)) {
        const readers = readersOf.get(old.key)!.filter((g) => g !== writer);
        if (readers.some((r) => precedes(writer, r, edges))) continue;
        buffers.delete(value.key);
        storages.set(value.key, { ...denseStorage(value), buffer: storages.get(old.key)!.buffer });
        fixed.add(old.key);
        for (const r of readers) edges.get(writer)!.add(r);
      }
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
