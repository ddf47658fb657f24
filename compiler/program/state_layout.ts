/**
 * Where states lie already, for a program that is to use the memory of another: an evaluation that sees the parameters
 * as they are trained, or the same model for another batch size.
 *
 * A program compiled for a layout has the layout's arenas first, at the same indices, and each state that the layout has
 * at the same place. A slab, in which one kernel binds many tensors as one, is formed only where the layout has its
 * members in the same order without anything between.
 */

import type { Arena, Program, Region, StateSlot } from "./program.ts";

export interface StateLayout {
  readonly arenas: readonly Arena[];
  /** By path; `region.arena` is an index into `arenas`. */
  readonly slots: ReadonlyMap<string, StateSlot>;
}

/** The layout of a program's own states: arenas with states, and the states in them, numbered among themselves. */
export function layoutOf({ arenas, state }: Program): StateLayout {
  const indices = arenas.flatMap(({ role }, index) => role === "state" ? [index] : []);
  const slots = state.map((slot) => {
    const { region } = slot;
    return [slot.name, {
      ...slot,
      region: { ...region, arena: Math.max(0, indices.indexOf(region.arena)) },
    }] as const;
  });
  return { arenas: indices.map((index) => arenas[index]!), slots: new Map(slots) };
}

/** A state's buffer is called this and its path (`memory/placement.ts`). */
const prefix = "state:";

/** The region of a buffer that is a state of the layout. */
export function laidOut(layout: StateLayout | undefined, buffer: string): Region | undefined {
  if (layout === undefined || !buffer.startsWith(prefix)) return undefined;
  return layout.slots.get(buffer.slice(prefix.length))?.region;
}

/**
 * Whether buffers whose distances are `starts` (in bytes) lie in the layout at just these distances, or none of them is
 * in it.
 */
export function liesAs(
  layout: StateLayout | undefined,
  buffers: readonly string[],
  starts: readonly number[],
): boolean {
  const regions = buffers.map((buffer) => laidOut(layout, buffer));
  const first = regions[0];
  if (first === undefined) return regions.every((region) => region === undefined);
  return regions.every((region, i) =>
    region?.arena === first.arena && region.offset - first.offset === starts[i]! - starts[0]!
  );
}
