/**
 * What a first run is given, copied at the moment it is asked for: its feeds, and the states as they are before it.
 * @module
 */

import { RunError } from "../compiler/errors.ts";
import type { StoredArray } from "../compiler/graph/dtype.ts";
import { TensorHandle } from "./device_tensor.ts";
import type { State } from "./state.ts";
import type { RunData } from "./verify.ts";

/** All is copied or asked for before this returns: a run that follows shows in none of it. */
export async function noteRun(feeds: Readonly<Record<string, unknown>>, state: State): Promise<RunData> {
  const fed = Object.entries(feeds).map(async ([name, feed]) => [name, await copyOf(name, feed)] as const);
  const states = state.names.map(async (name) => [name, await state.read(name)] as const);
  return {
    feeds: Object.fromEntries(await Promise.all(fed)),
    states: Object.fromEntries(await Promise.all(states)),
  };
}

function copyOf(name: string, feed: unknown): Promise<StoredArray> {
  if (feed instanceof TensorHandle) return feed.read();
  if (
    feed instanceof Float32Array || feed instanceof Int32Array || feed instanceof Uint32Array ||
    feed instanceof Uint8Array
  ) return Promise.resolve(feed.slice());
  return Promise.reject(new RunError(`verify: the input "${name}" is fed neither an array nor a tensor.`));
}
