/**
 * A user's own schedule: another way from a lowered group to kernels.
 *
 * It is asked before the schedules that ship, for every group of values that fusion made, and may decline with a reason:
 * then the next one is asked. What it gives is held to the rules that all kernels are held to (`verify.ts`): types, scopes,
 * every access inside its buffer, the device's limits. Besides, it must write the group's results and nothing else.
 *
 * What no rule can see is whether the numbers are right: `compile(model, { schedules, verify: true })` compares them with
 * those of the schedules that ship. A buffer that a group reads may be one that it writes, where a state is updated in
 * place; then every lane reads all it needs of an element before it writes it, and no other lane reads that element.
 */

import { CompileError, InternalError } from "../errors.ts";
import type { Kind } from "../fuse/legal.ts";
import { walk } from "../kernel/value.ts";
import type { Target } from "../target.ts";
import type { LoweredGroup, Refusal, Scheduled, ScheduledKernel } from "./group.ts";
import { verifyKernels } from "./verify.ts";

/** Loops for groups of one kind: a value that a user can add (`compile(model, { schedules: [mine] })`). */
export interface KernelSchedule {
  readonly name: string;
  /**
   * Kernels that compute a group, in order, or why there are none: `{ refused: "rows are too long" }`.
   *
   * @param group Results as values, each with the buffer and the index it goes to.
   * @param target Limits, features, and the numbers that schedules ask for.
   * @param kind What fusion took the group for.
   */
  schedule(group: LoweredGroup, target: Target, kind: Kind): readonly KernelOfSchedule[] | Refusal;
}

/** A kernel as a user's schedule gives it: what `IrBuilder.finish(groups)` made, and what it leaves to the next kernel. */
export type KernelOfSchedule =
  & Pick<ScheduledKernel, "kernel" | "buffers" | "params">
  & Partial<Pick<ScheduledKernel, "split" | "scratch">>;

/**
 * Asks a user's schedule for a group.
 *
 * @throws CompileError, naming it, where it gives kernels that cannot run.
 */
export function askOwn(own: KernelSchedule, group: LoweredGroup, target: Target, kind: Kind): Scheduled {
  const { name } = own;
  const fail = (what: string): never => {
    throw new CompileError(
      `the schedule "${name}" gave kernels for "${group.label}" that cannot run: ${what}`,
    );
  };
  /** What breaks the rules of kernels in here is the schedule's, and no bug of Weft's. */
  const blaming = <T>(f: () => T): T => {
    try {
      return f();
    } catch (error) {
      if (error instanceof InternalError) fail(error.what);
      throw error;
    }
  };
  const given = blaming(() => own.schedule(group, target, kind));
  if (!Array.isArray(given)) {
    const { refused } = (given ?? {}) as Partial<Refusal>;
    return typeof refused === "string"
      ? { refused }
      : fail('it returned neither a list of kernels nor { refused: "why" }');
  }
  const kernels = (given as readonly KernelOfSchedule[]).map((made): ScheduledKernel => ({
    ...made,
    groups: made.kernel.groups,
    label: group.label,
    split: made.split ?? false,
    scratch: made.scratch ?? [],
    schedule: name,
  }));
  const problem = touchedWrongly(kernels, group);
  if (problem !== undefined) fail(problem);
  blaming(() => verifyKernels(kernels, target));
  return kernels;
}

/** What kernels read or write that is not theirs, or leave unwritten. */
function touchedWrongly(kernels: readonly ScheduledKernel[], group: LoweredGroup): string | undefined {
  const roots = new Set(group.roots.map(({ buffer }) => buffer.name));
  const readable = new Set(roots);
  walk(group.roots.map(({ value }) => value), (v) => {
    if (v.kind === "load") readable.add(v.buffer.name);
  });
  const scratch = new Set(kernels.flatMap((k) => k.scratch.map((ref) => ref.name)));
  const written = new Set<string>();
  for (const { kernel, buffers } of kernels) {
    for (const [i, { access }] of kernel.buffers.entries()) {
      const { name } = buffers[i]!;
      if (access !== "read") written.add(name);
      if (scratch.has(name)) continue;
      if (access !== "read" && !roots.has(name)) {
        return `it writes the buffer ${name}, which is no result of the group`;
      }
      if (!readable.has(name)) return `it reads the buffer ${name}, which the group does not load`;
    }
  }
  const missing = group.roots.findIndex(({ buffer }) => !written.has(buffer.name));
  return missing < 0
    ? undefined
    : `nothing writes result ${missing}, of shape [${group.roots[missing]!.shape}]`;
}
