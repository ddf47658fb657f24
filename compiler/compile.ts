/**
 * The pipeline, on one page: from a graph to a program. Each stage is a pure function from one plain value to the next,
 * and each result can be verified, printed and timed (`Trace`).
 */

import { CompileError } from "./errors.ts";
import type { Sizes } from "./graph/dim.ts";
import { bindSizes } from "./graph/bind.ts";
import type { Graph } from "./graph/graph.ts";
import { printGraph } from "./graph/print.ts";
import { verifyGraph } from "./graph/verify.ts";
import type { Cover, Group } from "./fuse/group.ts";
import { isProgramNode, labelOf, loadsOf } from "./fuse/group.ts";
import { greedy } from "./fuse/greedy.ts";
import { classify, isRefused } from "./fuse/legal.ts";
import { OwnWorks } from "./fuse/own_work.ts";
import { printCover } from "./fuse/print.ts";
import { rematerialize } from "./fuse/rematerialize.ts";
import { verifyHints } from "./fuse/hints.ts";
import { verifyCover } from "./fuse/verify.ts";
import { lowerGroup } from "./fuse/lower_group.ts";
import { type FusionOptions, type FusionPolicy, unfused } from "./fuse/policy.ts";
import { type CostModel, costModelOf } from "./fuse/worthwhile.ts";
import type { AnyScheduled } from "./kernel/raw.ts";
import { verifyMemory, verifyOrder } from "./memory/verify.ts";
import { checkLimits } from "./memory/limits.ts";
import { isPacked, packGroups } from "./memory/pack.ts";
import { printPacking, printPlacement } from "./memory/print.ts";
import { overfull, type Placement, placeTensors } from "./memory/placement.ts";
import type { Lifetime } from "./memory/plan.ts";
import { assemble } from "./program/assemble.ts";
import { printProgram } from "./program/print.ts";
import type { Program, Region } from "./program/program.ts";
import type { StateLayout } from "./program/state_layout.ts";
import type { ScheduledKernel } from "./schedule/group.ts";
import { printKernels } from "./schedule/print.ts";
import { ScheduleMemory } from "./schedule/repeat.ts";
import { planProgram } from "./schedule/program.ts";
import { scheduleGroup } from "./schedule/schedule.ts";
import { verifyKernels } from "./schedule/verify.ts";
import { simplify } from "./simplify/simplify.ts";
import { isolateResults } from "./simplify/isolate.ts";
import type { Target } from "./target.ts";
import { noTrace, type Trace } from "./trace.ts";

/** The policies that ship. A user may pass one of their own. */
export const policies: Readonly<Record<"none" | "greedy", FusionPolicy>> = {
  none: { name: "none", cover: unfused, takesHints: false },
  greedy: { name: "greedy", cover: greedy },
};

export interface CompileOptions {
  readonly target: Target;
  /** A number for every named size. */
  readonly sizes?: Sizes;
  readonly policy?: FusionPolicy;
  readonly cost?: CostModel;
  readonly trace?: Trace;
  /** Where states lie already: the program uses the memory of another. */
  readonly layout?: StateLayout | undefined;
  /** Every temporary gets memory of its own, so that all can be looked at after a run: for `verify` and debuggers. */
  readonly keep?: boolean;
}

/** A program, and what its making decided: what reports and tests read. */
export interface Compiled {
  readonly program: Program;
  readonly graph: Graph;
  readonly cover: Cover;
  readonly placement: Placement;
  readonly kernels: readonly AnyScheduled[];
  readonly lifetimes: readonly Lifetime[];
  /** The group that each of `kernels` serves; several of a packed one. */
  readonly serves: readonly (readonly Group[])[];
  /** Where each buffer lies, by its name. */
  readonly regions: ReadonlyMap<string, Region>;
}

export function compileGraph(traced: Graph, options: CompileOptions): Compiled {
  const {
    target,
    sizes = {},
    policy = policies.greedy,
    cost = costModelOf(options.target),
    trace = noTrace,
    layout,
    keep = false,
  } = options;

  const inGraph = (stage: string) => ({ verify: (g: Graph) => verifyGraph(g, stage), print: printGraph });

  // Sizes first: nothing below asks whether a dimension is known.
  const bound = trace.stage("bind", () => bindSizes(traced, sizes), inGraph("bind"));
  const simple = trace.stage("simplify", () => simplify(bound), inGraph("simplify"));
  // Before fusion: whatever is demanded is then computed by exactly one group.
  const isolated = trace.stage("isolate", () => isolateResults(simple), inGraph("isolate"));
  // Before fusion, which then finds a kernel that computes a copy in passing.
  const graph = trace.stage(
    "rematerialize",
    () => rematerialize(isolated, cost, new OwnWorks()),
    inGraph("rematerialize"),
  );
  const { cover, placement } = fuseAndPlace(graph, policy, { limits: target.limits, cost }, keep, trace);
  // After placement: which updates are in place decides which buffers may lie side by side.
  const packing = trace.stage(
    "pack",
    () => packGroups(placement, target.limits.bindingBytes, layout),
    {
      verify: ({ order }) =>
        verifyOrder(graph, placement, order.map((unit) => isPacked(unit) ? unit.members : [unit])),
      print: printPacking,
    },
  );
  const memory = new ScheduleMemory(placement.storage);
  const kernelsOf = (unit: (typeof packing.order)[number]): readonly AnyScheduled[] => {
    if (isPacked(unit)) {
      const label = `${labelOf(graph, unit.members[0]!)}, ${unit.members.length} times`;
      return scheduleGroup({ ...unit.lowered, label }, target, "map").kernels;
    }
    const label = labelOf(graph, unit);
    if (isProgramNode(unit.roots[0]!.node)) {
      return planProgram(unit, placement.storage, packing.slabs, target, label);
    }
    return memory.kernels(unit, label, () => scheduleOne(unit, placement.storage, target, label));
  };
  const serves: (readonly Group[])[] = [];
  const kernels = trace.stage("schedule", () =>
    packing.order.flatMap((unit) => {
      const made = kernelsOf(unit);
      for (let i = 0; i < made.length; i++) serves.push(isPacked(unit) ? unit.members : [unit]);
      return made;
    }), {
    verify(made) {
      checkLimits(graph, placement, target.limits);
      verifyKernels(made, target);
    },
    print: printKernels,
  });
  // Last: addresses need every buffer, scratch of the schedules included.
  const { program, lifetimes, regions } = trace.stage(
    "assemble",
    () => assemble({ graph, placement, slabs: packing.slabs, kernels, target, layout, keep }),
    {
      verify: (made) => verifyMemory(made.program, made.accesses, target.limits),
      print: (made) => printProgram(made.program),
    },
  );
  return { program, graph, cover, placement, kernels, serves, lifetimes, regions };
}

/**
 * Fusion, then places: before scheduling, since a kernel's text depends on which of its buffers are one.
 *
 * Fusion takes a state for one buffer, which it is if it is updated in place. Where the place says no, and a kernel binds
 * too many buffers for that, fusion is asked again with what is known now; each time about more states, so it ends.
 */
function fuseAndPlace(
  graph: Graph,
  policy: FusionPolicy,
  options: FusionOptions,
  keep: boolean,
  trace: Trace,
): { readonly cover: Cover; readonly placement: Placement } {
  const apart = new Set<string>();
  for (;;) {
    const cover = trace.stage(
      "fuse",
      () => policy.cover(graph, { ...options, apart }),
      {
        verify(c) {
          verifyCover(graph, c, policy.name);
          if (policy.takesHints ?? true) verifyHints(graph, c, policy.name);
        },
        print: (c) => printCover(graph, c),
      },
    );
    const placement = trace.stage(
      "place",
      () => placeTensors(graph, cover.groups, keep),
      { print: (p) => printPlacement(graph, p) },
    );
    const known = apart.size;
    for (const state of overfull(placement, options.limits.storageBuffers)) apart.add(state);
    if (apart.size === known) return { cover, placement };
  }
}

/** The kernels of one group of values; none where all of its results are empty. */
function scheduleOne(
  group: Group,
  storage: Placement["storage"],
  target: Target,
  label: string,
): readonly ScheduledKernel[] {
  const lowered = lowerGroup(group, storage, label);
  const roots = lowered.roots.filter((r) => !r.shape.includes(0));
  if (roots.length === 0) return [];
  const verdict = classify(lowered, target.limits.storageBuffers);
  if (!isRefused(verdict)) return scheduleGroup({ ...lowered, roots }, target, verdict.kind).kernels;
  // What one op repeats by itself (a sum that it broadcasts) no other cover could avoid.
  const bindings = loadsOf(group).length + group.roots.length;
  const isOneOp = [...group.nodes].every((n) => n.op.view || n === group.roots[0]!.node);
  if (isOneOp && bindings <= target.limits.storageBuffers) {
    return scheduleGroup({ ...lowered, roots }, target, "map").kernels;
  }
  throw new CompileError(`fuse: "${label}" cannot be one kernel: ${verdict.refused}`);
}
