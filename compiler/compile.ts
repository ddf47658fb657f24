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
import { packingPass, type Pass, passes as shipped, verifyDemands, verifyPass } from "./passes.ts";
import type { Cover, Group } from "./fuse/group.ts";
import { printCover } from "./fuse/print.ts";
import { verifyHints } from "./fuse/hints.ts";
import { verifyCover } from "./fuse/verify.ts";
import type { Arithmetic, Lowering } from "./fuse/lower_group.ts";
import { policies } from "./fuse/policies.ts";
import type { FusionOptions, FusionPolicy } from "./fuse/policy.ts";
import { type CostModel, costModelOf } from "./fuse/worthwhile.ts";
import type { AnyScheduled } from "./kernel/raw.ts";
import { verifyMemory, verifyOrder } from "./memory/verify.ts";
import { checkSizes } from "./memory/check_sizes.ts";
import { checkLimits } from "./memory/limits.ts";
import { isPacked, unpacked } from "./memory/pack.ts";
import { printPacking, printPlacement } from "./memory/print.ts";
import { cutOperands, overfullNodes } from "./fuse/cut_operands.ts";
import { overfull, type Placement, placeTensors } from "./memory/placement.ts";
import type { Lifetime } from "./memory/plan.ts";
import { assemble } from "./program/assemble.ts";
import { printProgram } from "./program/print.ts";
import type { Program, Region } from "./program/program.ts";
import type { StateLayout } from "./program/state_layout.ts";
import { printKernels } from "./schedule/print.ts";
import type { KernelSchedule } from "./schedule/own.ts";
import { scheduleUnits, type Unit } from "./schedule/unit.ts";
import type { Tuning } from "./schedule/tuning.ts";
import { verifyKernels } from "./schedule/verify.ts";
import type { Target } from "./target.ts";
import { noTrace, type Trace } from "./trace.ts";

export { type FusionPolicy, policies };

export interface CompileOptions {
  readonly target: Target;
  /** A number for every named size. */
  readonly sizes?: Sizes;
  readonly policy?: FusionPolicy;
  readonly cost?: CostModel;
  readonly trace?: Trace;
  /**
   * What ops on f16 compute in: `"f32"` (the default), rounded where a value is stored, or `"f16"`, each op's result
   * rounded. Sums are f32 in both. The target must have f16 for the second.
   */
  readonly arithmetic?: Arithmetic | undefined;
  /** Where states lie already: the program uses the memory of another. */
  readonly layout?: StateLayout | undefined;
  /** Every temporary gets memory of its own, so that all can be looked at after a run: for `verify` and debuggers. */
  readonly keep?: boolean;
  /** What rewrites the graph before fusion and the plan after it, in order. Default: all that ship (`passes.ts`). */
  readonly passes?: readonly Pass[] | undefined;
  /** Groups that are scheduled with other numbers than the target's. */
  readonly tuning?: Tuning | undefined;
  /** A user's own ways to compute a group, each asked before those that ship (`schedule/own.ts`). */
  readonly schedules?: readonly KernelSchedule[] | undefined;
  /** Remember which op each statement of a kernel was written for (`kernels[i].serves`): for reports. */
  readonly provenance?: boolean;
}

/** A program, and what its making decided: what reports and tests read. */
export interface Compiled {
  readonly program: Program;
  /** What was compiled, before its sizes were bound, and all that the compile was given. */
  readonly traced: Graph;
  readonly given: CompileOptions;
  /** What it was compiled for, and with. */
  readonly target: Target;
  readonly policy: string;
  readonly cost: CostModel;
  readonly graph: Graph;
  readonly cover: Cover;
  readonly placement: Placement;
  /** What runs, in order, and the kernels of each. */
  readonly units: readonly Unit[];
  /** The kernels of all units. */
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
    passes = shipped,
    trace = noTrace,
    arithmetic,
    layout,
    keep = false,
    tuning,
    schedules,
    provenance = false,
  } = options;
  if (arithmetic === "f16" && !target.features.f16) {
    throw new CompileError(
      `compile(): arithmetic "f16" needs a device with shader-f16, which ${target.name} has not. Leave the option out: ` +
        "halves are then stored as halves and computed in f32.",
    );
  }
  const numerics: Lowering = { arithmetic, builtins: target.builtins, provenance };

  // Sizes first: nothing below asks whether a dimension is known.
  let graph = trace.stage("bind", () => bindSizes(traced, sizes), {
    verify: (g) => verifyGraph(g, "bind"),
    print: printGraph,
  });
  checkSizes(traced, graph, sizes, target.limits);
  for (const pass of passes) {
    if (pass.on !== "graph") continue;
    const before = graph;
    graph = trace.stage(pass.name, () => pass.run(before, { cost }), {
      verify: (g) => verifyPass(before, g, pass.name),
      print: printGraph,
    });
  }
  verifyDemands(graph, passes);
  // Before fusion, which could store a part of a sum of many tensors, but not a part of an op.
  const many = overfullNodes(graph, target.limits.storageBuffers);
  if (many.size > 0) {
    const whole = graph;
    graph = trace.stage("cut", () => cutOperands(whole, many, target.limits.storageBuffers), {
      verify: (g) => verifyPass(whole, g, "cut"),
      print: printGraph,
    });
  }
  const { cover, placement } = fuseAndPlace(graph, policy, { limits: target.limits, cost }, keep, trace);
  // After placement: which updates are in place decides which buffers may lie side by side.
  const site = { bindingBytes: target.limits.bindingBytes, layout, numerics };
  const packer = packingPass(passes);
  const packing = !packer
    ? unpacked(placement)
    : trace.stage(packer.name, () => packer.run(placement, site), {
      verify: ({ order }) =>
        verifyOrder(graph, placement, order.map((unit) => isPacked(unit) ? unit.members : [unit])),
      print: printPacking,
    });
  const units = trace.stage(
    "schedule",
    () => scheduleUnits(graph, placement, packing, target, { tuning, numerics, schedules }),
    {
      verify(made) {
        checkLimits(graph, placement, target.limits);
        verifyKernels(made.flatMap((unit) => unit.kernels), target);
      },
      print: (made) => printKernels(made.flatMap((unit) => unit.kernels)),
    },
  );
  const kernels = units.flatMap((unit) => unit.kernels);
  // Last: addresses need every buffer, scratch of the schedules included.
  const { program, lifetimes, regions } = trace.stage(
    "assemble",
    () => assemble({ graph, placement, slabs: packing.slabs, kernels, target, layout, keep }),
    {
      verify: (made) => verifyMemory(made.program, made.accesses, target.limits),
      print: (made) => printProgram(made.program),
    },
  );
  const serves = units.flatMap((unit) => unit.kernels.map(() => unit.groups));
  const made = { program, graph, cover, placement, units, kernels, serves, lifetimes, regions };
  return { ...made, traced, given: options, target, cost, policy: policy.name };
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
