/**
 * A program of some kernels of another program, alone: what tuning measures and compares.
 *
 * Each buffer is an arena of its own, so that whoever loads it can fill and read each. The kernels are bound as in the
 * whole program all the same (what lies in an arena that a kernel writes is bound for writing): they have the text that
 * they have there, and take the time that they take there.
 */

import { deviceBytes } from "../graph/dtype.ts";
import type { AnyKernel, AnyScheduled } from "../kernel/raw.ts";
import type { BufferRef } from "../kernel/value.ts";
import { aligned } from "../memory/plan.ts";
import { withArenaAccess } from "./assemble.ts";
import type { Arena, Binding, Program, Step } from "./program.ts";

/** Kernels that run one after the other and leave results: one way to compute a group. */
export type Run = readonly AnyScheduled[];

/** What all ways to compute a group read and write: buffers that are not scratch, in order of first use. */
export function buffersOf(run: Run): readonly BufferRef[] {
  const scratch = new Set(run.flatMap((k) => k.scratch.map((ref) => ref.name)));
  const found = new Map<string, BufferRef>();
  for (const { buffers } of run) {
    for (const ref of buffers) if (!scratch.has(ref.name)) found.set(ref.name, ref);
  }
  return [...found.values()];
}

/**
 * @param runs What runs, in order; the same one may run several times.
 * @param buffers The arenas before those for scratch, in order.
 * @param homeOf Where a buffer lies in the whole program: a number that those share that lie in one arena.
 */
export function aloneProgram(
  runs: readonly Run[],
  buffers: readonly BufferRef[],
  homeOf: (name: string) => number,
): Program {
  const arenas: { -readonly [K in keyof Arena]: Arena[K] }[] = [];
  const places = new Map<string, number>();
  const bytesOf = ({ dtype, size }: BufferRef) => aligned(size * deviceBytes(dtype));
  for (const ref of buffers) {
    places.set(ref.name, arenas.push({ name: ref.name, bytes: bytesOf(ref), role: "temporary" }) - 1);
  }
  const kernels: AnyKernel[] = [];
  const numbers = new Map<AnyScheduled, number>();
  const steps: Step[] = [];
  for (const run of runs) {
    // Runs don't overlap, so the n-th scratch buffers of all of them are one.
    const scratch = new Map<string, number>();
    for (const ref of run.flatMap((k) => k.scratch)) {
      if (scratch.has(ref.name)) continue;
      const place = buffers.length + scratch.size;
      arenas[place] ??= { name: `scratch ${scratch.size}`, bytes: 0, role: "temporary" };
      arenas[place].bytes = Math.max(arenas[place].bytes, bytesOf(ref));
      scratch.set(ref.name, place);
    }
    for (const scheduled of run) {
      const bindings = scheduled.buffers.map((ref): Binding => ({
        arena: scratch.get(ref.name) ?? places.get(ref.name)!,
        offset: 0,
        bytes: bytesOf(ref),
      }));
      let number = numbers.get(scheduled);
      if (number === undefined) {
        const homes = scheduled.buffers.map((ref) => ({ arena: homeOf(ref.name) }));
        number = kernels.push(withArenaAccess(scheduled.kernel, homes)) - 1;
        numbers.set(scheduled, number);
      }
      const { groups, params, label, split } = scheduled;
      steps.push({ kind: "dispatch", dispatch: { kernel: number, groups, bindings, params, label, split } });
    }
  }
  const none = { inputs: [], outputs: [], state: [], constants: [] };
  return { version: 1, arenas, kernels, steps, ...none, memory: { peak: 0, bound: 0 } };
}
