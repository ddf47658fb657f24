/**
 * One run of a program that was compiled to keep all its temporaries, and every tensor that it stored.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { concrete } from "../../compiler/fuse/lower_group.ts";
import { elementsOf } from "../../compiler/graph/dim.ts";
import { type StoredArray, storedArray } from "../../compiler/graph/dtype.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { OutputSlot, Program } from "../../compiler/program/program.ts";
import type { Device } from "../device.ts";
import { load } from "../executable.ts";
import type { RunData } from "../verify.ts";
import { position } from "../position.ts";

/** What lies in memory after a run, by the keys of the tensors that groups store. */
export type StoredValues = ReadonlyMap<string, StoredArray>;

/** @param compiled Compiled with `keep`. */
export async function runKept(
  device: Device,
  compiled: Compiled,
  { feeds, states }: RunData,
): Promise<StoredValues> {
  const stored = compiled.cover.groups.flatMap(({ roots }) => roots);
  const buffers = new Map(stored.map((t) => [compiled.placement.storage(t).buffer.name, t]));
  // Whole buffers: a tensor may lie in one that several share, with gaps.
  const outputs = [...buffers].flatMap(([name, t]): OutputSlot[] => {
    const { buffer: { dtype, size } } = compiled.placement.storage(t);
    const region = compiled.regions.get(name);
    return region === undefined || region.bytes === 0
      ? []
      : [{ name, shape: [size], dtype, region, ring: 1 }];
  });
  const program: Program = { ...compiled.program, outputs };
  using executable = await load(program, device, { state: (path) => states[path] });
  const results = executable.run(feeds);
  const read = outputs.map(async ({ name }) => [name, await results[name]!.read()] as const);
  const contents = new Map(await Promise.all(read));
  return new Map(stored.map((t) => [t.key, gathered(compiled, t, contents)]));
}

/** The tensor's own elements, dense. */
function gathered(
  { placement }: Compiled,
  t: Tensor,
  contents: ReadonlyMap<string, StoredArray>,
): StoredArray {
  const { buffer, strides, offset } = placement.storage(t);
  const { shape, dtype } = concrete(t);
  const out = storedArray(dtype, elementsOf(shape) as number);
  const from = contents.get(buffer.name);
  if (from === undefined) return out; // it has no elements
  for (let i = 0; i < out.length; i++) {
    const at = position(i, shape).reduce((sum, index, axis) => sum + index * strides[axis]!, offset);
    out[i] = from[at]!;
  }
  return out;
}
