/** An op that brings its own kernels (SCHEDULES §8): gives it readers of its inputs and writers for its results. */

import type { Group } from "../fuse/group.ts";
import { concrete, elementAt, GroupReader, type Lowering, type Storage } from "../fuse/lower_group.ts";
import { InternalError } from "../errors.ts";
import { deviceBytes } from "../graph/dtype.ts";
import type { Tensor } from "../graph/node.ts";
import { resultsOf } from "../graph/graph.ts";
import { isProgram } from "../graph/op.ts";
import type { AnyScheduled } from "../kernel/raw.ts";
import type { SideBySide } from "../kernel/program_op.ts";
import { Values } from "../kernel/values.ts";
import type { Slab } from "../memory/pack.ts";
import type { Target } from "../target.ts";

export function planProgram(
  group: Group,
  storage: (tensor: Tensor) => Storage,
  slabs: readonly Slab[],
  target: Target,
  { label, arithmetic, builtins, provenance }: Lowering & { readonly label: string },
): readonly AnyScheduled[] {
  const { node } = group.roots[0]!;
  const { lower } = node.op;
  if (!isProgram(lower)) throw new InternalError("schedule", `${node.op.name} is no program`);
  const results = resultsOf(node);
  if (results.every((t) => concrete(t).shape.includes(0))) return [];
  const values = new Values(builtins, provenance ? new Map() : undefined);
  // The op itself is not read, only what is computed in its place.
  const inlined = new Set([...group.nodes].filter((n) => n !== node));
  const reader = new GroupReader(values, inlined, storage, arithmetic);
  let scratches = 0;
  return lower.plan({
    attrs: node.attrs,
    inputs: node.inputs.map((t) => reader.reader(t)),
    sideBySide: slabs.flatMap((slab) => sideBySide(slab, node.inputs, group, storage)),
    outputs: results.map((t) => {
      const place = storage(t);
      return { ...concrete(t), buffer: place.buffer, at: (index) => elementAt(values, place, index) };
    }),
    values,
    target,
    label,
    scratch: (dtype, size) => ({ name: `scratch:${node.id}.${scratches++}`, dtype, size }),
  });
}

/** A slab as one long input, if all of its members are inputs that the op reads as they are. */
function sideBySide(
  slab: Slab,
  inputs: readonly Tensor[],
  group: Group,
  storage: (tensor: Tensor) => Storage,
): SideBySide[] {
  const position = new Map<string, number>();
  inputs.forEach((t, i) => {
    if (!group.nodes.has(t.node)) position.set(storage(t).buffer.name, i);
  });
  if (!slab.members.every((m) => position.has(m.buffer))) return [];
  const elements = (bytes: number) => bytes / deviceBytes(slab.dtype);
  const ranges = slab.members.map((m) => {
    const begin = elements(m.offset);
    return { begin, end: begin + storage(inputs[position.get(m.buffer)!]!).buffer.size };
  });
  return [{
    buffer: { name: slab.name, dtype: slab.dtype, size: slab.size },
    inputs: slab.members.map((m) => position.get(m.buffer)!),
    ranges: ranges.sort((a, b) => a.begin - b.begin),
  }];
}
