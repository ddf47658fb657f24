/**
 * Units: what a program runs, one after the other, each with the kernels that its schedule gave it. A unit is a group, a
 * few groups packed into one kernel, or an op that brings its own kernels.
 *
 * A unit can be scheduled again with other numbers than its target's, alone: that is all that tuning needs of a compile.
 */

import { counted } from "../counted.ts";
import { CompileError } from "../errors.ts";
import { classify } from "../fuse/legal.ts";
import { isRefused } from "../fuse/reason.ts";
import { type Group, isProgramNode, isTrivial, labelOf, loadsOf } from "../fuse/group.ts";
import { lowerGroup, type Lowering, type Numerics } from "../fuse/lower_group.ts";
import { signatureOf } from "../fuse/signature.ts";
import type { Graph } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { type AnyScheduled, isRaw } from "../kernel/raw.ts";
import type { PackedGroup, Packing } from "../memory/pack.ts";
import type { Placement } from "../memory/placement.ts";
import type { Target } from "../target.ts";
import type { LoweredGroup, ScheduledKernel } from "./group.ts";
import type { KernelSchedule } from "./own.ts";
import { planProgram } from "./program.ts";
import { ScheduleMemory } from "./repeat.ts";
import { scheduleGroup } from "./schedule.ts";
import { patchTarget, type TargetPatch, type Tuning, tuningKey } from "./tuning.ts";

export interface Unit {
  /** What it computes: scope and ops. */
  readonly label: string;
  /** The groups that it is: several where they are packed. */
  readonly groups: readonly Group[];
  /** What its patch is found by; units with equal keys have equal kernels, up to the buffers they bind. */
  readonly key: string;
  /** The patch that its kernels were made with, if any. */
  readonly patch: TargetPatch | undefined;
  readonly kernels: readonly AnyScheduled[];
  /** Its kernels for a target. Throws where no schedule takes it with those numbers. */
  schedule(target: Target): readonly AnyScheduled[];
}

/** Schedules all that a program runs. */
export function scheduleUnits(
  graph: Graph,
  placement: Placement,
  packing: Packing,
  target: Target,
  { tuning, numerics, schedules }: {
    readonly tuning?: Tuning | undefined;
    readonly numerics: Lowering;
    readonly schedules?: readonly KernelSchedule[] | undefined;
  },
): readonly Unit[] {
  const memory = new ScheduleMemory(placement.storage);
  return packing.order.map((group): Unit => {
    const members = isPacked(group) ? group.members : [group];
    // Only who tunes asks for it, and it takes time.
    let known: string | undefined;
    const keyOf = () => known ??= keyOfGroups(members, placement, numerics);
    const patch = tuning?.[keyOf()];
    const own = patch === undefined ? target : patchTarget(target, patch);
    const made = (schedule: () => readonly ScheduledKernel[], label: string) =>
      memory.kernels(members[0]!, label, schedule);
    if (isPacked(group)) {
      const label = `${labelOf(graph, members[0]!)}, ${counted(members.length, "time")}`;
      const schedule = (to: Target) =>
        scheduleGroup({ ...group.lowered, label }, to, "map", schedules).kernels;
      return unit(label, members, keyOf, patch, schedule(own), schedule);
    }
    const label = labelOf(graph, group);
    if (isProgramNode(group.roots[0]!.node)) {
      const schedule = (to: Target) => {
        const kernels = planProgram(group, placement.storage, packing.slabs, to, { label, ...numerics });
        checkBuffers(kernels, group.roots[0]!.node, graph, to.limits.storageBuffers);
        return kernels;
      };
      return unit(label, members, keyOf, patch, schedule(own), schedule);
    }
    const schedule = (to: Target) =>
      scheduleOne(group, lowerGroup(group, placement.storage, { label, ...numerics }), to, schedules);
    return unit(label, members, keyOf, patch, made(() => schedule(own), label), schedule);
  });
}

const isPacked = (group: Group | PackedGroup): group is PackedGroup => "members" in group;

function unit(
  label: string,
  groups: readonly Group[],
  keyOf: () => string,
  patch: TargetPatch | undefined,
  kernels: readonly AnyScheduled[],
  schedule: Unit["schedule"],
): Unit {
  return {
    label,
    groups,
    get key() {
      return keyOf();
    },
    patch,
    kernels,
    schedule,
  };
}

function keyOfGroups(
  groups: readonly Group[],
  { storage }: Placement,
  { arithmetic = "f32" }: Numerics,
): string {
  const texts = groups.map((group) => signatureOf(group, storage).text);
  return tuningKey([...arithmetic === "f32" ? [] : [arithmetic], ...texts].join("\n\n"));
}

/** Throws where a kernel that an op brings binds more buffers than there may be: no cover makes it fewer. */
function checkBuffers(kernels: readonly AnyScheduled[], node: Node, { builder }: Graph, limit: number): void {
  const { op } = node;
  const most = Math.max(...kernels.map(({ kernel }) => isRaw(kernel) ? 0 : kernel.buffers.length));
  if (most <= limit) return;
  throw new CompileError(
    `${op.name} needs a kernel of ${most} storage buffers, and the limit is ${limit}` +
      (op.expand ? "; with `passes: [expandComposites, ...passes]` it is computed in plain ops" : ""),
    { origin: builder.originsOf(node)[0] },
  );
}

/** The kernels of one group of values; none where all of its results are empty. */
function scheduleOne(
  group: Group,
  lowered: LoweredGroup,
  target: Target,
  own: readonly KernelSchedule[] | undefined,
): readonly ScheduledKernel[] {
  const roots = lowered.roots.filter((r) => !r.shape.includes(0));
  if (roots.length === 0) return [];
  const verdict = classify(lowered, target.limits.storageBuffers);
  if (!isRefused(verdict)) return scheduleGroup({ ...lowered, roots }, target, verdict.kind, own).kernels;
  // What one op repeats by itself (a sum that it broadcasts) no other cover could avoid.
  const bindings = loadsOf(group).length + group.roots.length;
  const isOneOp = [...group.nodes].every((n) => isTrivial(n) || n === group.roots[0]!.node);
  if (isOneOp && bindings <= target.limits.storageBuffers) {
    return scheduleGroup({ ...lowered, roots }, target, "map", own).kernels;
  }
  throw new CompileError(`fuse: "${lowered.label}" cannot be one kernel: ${verdict.refused}`);
}
