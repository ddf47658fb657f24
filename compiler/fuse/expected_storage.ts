/**
 * Where fusion expects tensors to be, before memory is placed: each in a buffer of its own, but a state's new contents
 * over the old ones, so that a kernel that updates a state in place binds one buffer and not two.
 *
 * Whether an update may be in place is known only when the whole cover is (`memory/placement.ts`). Where it may not and the
 * kernel then binds too many buffers, fusion is asked again with that state kept `apart`.
 */

import type { Graph } from "../graph/graph.ts";
import type { Tensor } from "../graph/node.ts";
import { denseStorage, type Storage } from "./lower_group.ts";

/** The buffer and layout that a tensor is expected to have. */
export type ExpectedStorage = (tensor: Tensor) => Storage;

/** @param apart Paths of states whose new contents must not lie over the old ones. */
export function expectedStorage(graph: Graph, apart: ReadonlySet<string> = new Set()): ExpectedStorage {
  const states = new Map(
    graph.writes.filter((w) => !apart.has(w.state.node.attrs.path)).map((w) => [w.value.key, w.state]),
  );
  const known = new Map<string, Storage>();
  return (tensor) => {
    const { key } = tensor;
    let storage = known.get(key);
    if (!storage) known.set(key, storage = denseStorage(states.get(key) ?? tensor));
    return storage;
  };
}

/** How many buffers a kernel binds that reads and stores these tensors. */
export function bindingsOf(tensors: Iterable<Tensor>, storage: ExpectedStorage): number {
  const names = new Set<string>();
  for (const t of tensors) names.add(storage(t).buffer.name);
  return names.size;
}
