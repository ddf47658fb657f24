/**
 * The memory plan of a compile as rectangles: when each temporary lives and where, and what the other arenas hold.
 * @module
 */

import type { Compiled } from "../../../compiler/compile.ts";
import { showShape } from "../../../compiler/graph/dim.ts";
import { resultsOf } from "../../../compiler/graph/graph.ts";
import type { Node } from "../../../compiler/graph/node.ts";
import { aligned } from "../../../compiler/memory/plan.ts";
import type { Slot } from "../../../compiler/program/program.ts";
import type { ArenaView, MemoryView, TemporaryView } from "./data.ts";

/** @param numbers Of the final graph. */
export function memoryView(
  { program, lifetimes, regions, graph, placement }: Compiled,
  numbers: ReadonlyMap<Node, number>,
): MemoryView {
  /** What each buffer holds; a buffer that several results take turns in is named after the first. */
  const holder = new Map<string, number>();
  for (const node of graph.nodes) {
    for (const t of resultsOf(node)) holder.set(t.key, numbers.get(node)!);
  }
  const temporaries = lifetimes.flatMap(({ name, bytes, begin, end }): TemporaryView[] => {
    const region = regions.get(name);
    if (!region || bytes === 0) return [];
    return [{ name, node: holder.get(name) ?? -1, offset: region.offset, bytes, begin, end }];
  });
  const live = program.steps.map((_, step) =>
    lifetimes.reduce(
      (sum, { begin, end, bytes }) => begin <= step && step < end ? sum + aligned(bytes) : sum,
      0,
    )
  );
  const leaves = new Map<string, number>();
  for (const node of graph.nodes) {
    const { path, name } = node.attrs;
    if (node.op.name === "state") leaves.set(`state ${path}`, numbers.get(node)!);
    if (node.op.name === "input") leaves.set(`input ${name}`, numbers.get(node)!);
  }
  for (const [name, t] of Object.entries(graph.outputs)) leaves.set(`output ${name}`, numbers.get(t.node)!);
  const slotOf = (slot: Slot, role: string): ArenaView["slots"][number] & { readonly arena: number } => ({
    arena: slot.region.arena,
    name: slot.name,
    type: `${slot.dtype}${showShape(slot.shape)}`,
    offset: slot.region.offset,
    bytes: slot.region.bytes,
    node: leaves.get(`${role} ${slot.name}`) ?? -1,
  });
  const slots = [
    ...program.state.map((slot) => slotOf(slot, "state")),
    ...program.inputs.map((slot) => slotOf(slot, "input")),
    ...program.outputs.map((slot) => slotOf(slot, "output")),
    ...graph.nodes.filter((node) => node.op.name === "constant").flatMap((node) => {
      const [t] = resultsOf(node);
      const region = regions.get(`const:${node.attrs.data.hash}`);
      if (!region || !t || !placement.buffers.has(`const:${node.attrs.data.hash}`)) return [];
      return [slotOf({ name: "constant", shape: t.shape as number[], dtype: t.dtype, region }, "constant")];
    }),
  ];
  const arenas = program.arenas.map(({ name, role, bytes }, arena): ArenaView => ({
    name,
    role,
    bytes,
    slots: slots.filter((slot) => slot.arena === arena && slot.bytes > 0).map(({ arena: _, ...slot }) => slot)
      .sort((a, b) => a.offset - b.offset),
  }));
  return { peak: program.memory.peak, bound: program.memory.bound, live, temporaries, arenas };
}
