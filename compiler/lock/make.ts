/**
 * A lock of a compile: what it was given, what it decided, and what came of it.
 * @module
 */

import config from "../../deno.json" with { type: "json" };
import type { Compiled } from "../compile.ts";
import { emitWgsl } from "../emit/wgsl.ts";
import { wgslOptionsOf } from "../emit/wgsl_options.ts";
import { bindSizes } from "../graph/bind.ts";
import { passes as shipped } from "../passes.ts";
import type { Binding, Program, Region } from "../program/program.ts";
import type { Target } from "../target.ts";
import { describeGraph, hashOfGraph, sha256 } from "./graph.ts";
import {
  type LockedAdapter,
  type LockedCost,
  type LockedDispatch,
  type LockedKernel,
  lockedTarget,
  lockVersion,
  type PlanLock,
  type Range,
  type Ref,
} from "./lock.ts";

/** What a lock says beside the compile itself. */
export interface LockOptions {
  /** What the model's file exports it as. */
  readonly export?: string;
  /** The adapter that the compile was for: `device.adapter`. */
  readonly adapter?: LockedAdapter | null;
  /**
   * Whether the WGSL of each kernel is written down beside its hash, so that a difference can be shown and not only told.
   * Default true.
   */
  readonly texts?: boolean;
}

/**
 * A lock of what a compile decided, as plain data: `writeLock` writes it, `compile(model, { lock })` and `replay` make the
 * same program from it.
 *
 * @example
 * ```ts
 * import { compile, input, lockOf, model, openDevice, softmax } from "@weft/weft";
 *
 * const net = model({ x: input(["rows", 16], "f32") }, ({ x }) => ({ y: softmax(x) }));
 * using device = await openDevice({ device: "cpu" });
 * using program = await compile(net, { device, sizes: { rows: 8 } });
 * const lock = lockOf(program.compiled, { adapter: device.adapter });
 * using again = await compile(net, { device, lock }); // or an error that says what differs
 * console.log(lock.kernels.length, again.program.kernels.length);
 * ```
 */
export function lockOf(compiled: Compiled, options: LockOptions = {}): PlanLock {
  const { program, graph, cover, target, cost, policy, traced, given, units } = compiled;
  const { adapter = null, texts = true } = options;
  const sizes = given.sizes ?? {};
  const position = new Map(graph.nodes.map((node, i) => [node, i]));
  const tuned = units.flatMap((unit) => unit.patch ? [[unit.key, unit.patch] as const] : []);
  return {
    format: "weft-plan-lock",
    version: lockVersion,
    versions: { weft: config.version, deno: Deno.version.deno },
    model: {
      ...options.export !== undefined && { export: options.export },
      sha256: hashOfGraph(describeGraph(bindSizes(traced, sizes))),
      sizes: Object.fromEntries(Object.entries(sizes).sort(byName)),
    },
    arithmetic: given.arithmetic ?? "f32",
    target: lockedTarget(target),
    adapter: adapter && adapterOf(adapter),
    cost: numbersOf(cost),
    passes: (given.passes ?? shipped).map(({ name, parts }) => ({ name, ...parts && { parts } })),
    schedules: (given.schedules ?? []).map(({ name }) => name),
    policy: { name: policy, takesHints: given.policy?.takesHints ?? true },
    tuning: Object.fromEntries(tuned.sort(byName)),
    graph: describeGraph(graph),
    groups: cover.groups.map(({ nodes, roots }) => ({
      nodes: [...nodes].map((node) => position.get(node)!),
      roots: roots.map(({ node, result }): Ref => [position.get(node)!, result]),
    })),
    kernels: lockedKernels(program, target, texts),
    dispatches: dispatchesOf(program),
    memory: memoryOf(program),
  };
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => a < b ? -1 : 1;

const adapterOf = (adapter: LockedAdapter): LockedAdapter => {
  const { vendor, architecture, device, description, limits, features } = adapter;
  return { vendor, architecture, device, description, limits, features };
};

const numbersOf = ({ groupMs: _own, ...numbers }: Compiled["cost"]): LockedCost => numbers;

/** Each kernel of a program by its text. */
export function lockedKernels(
  { kernels }: Program,
  target: Target,
  texts: boolean,
): readonly LockedKernel[] {
  const options = wgslOptionsOf(target);
  return kernels.map((kernel) => {
    const text = emitWgsl(kernel, options);
    return { sha256: sha256(text), ...texts && { wgsl: text.split("\n") } };
  });
}

const rangeOf = ({ arena, offset, bytes }: Binding | Region): Range => [arena, offset, bytes];

/** What a run does, in order; copies are part of the memory's hash. */
export const dispatchesOf = ({ steps }: Program): readonly LockedDispatch[] =>
  steps.flatMap((step) => {
    if (step.kind !== "dispatch") return [];
    const { kernel, groups, bindings, params, label } = step.dispatch;
    return [{ kernel, groups, bindings: bindings.map(rangeOf), params, label }];
  });

/** Where everything lies. */
export function memoryOf(
  { arenas, inputs, outputs, state, constants, steps, memory }: Program,
): PlanLock["memory"] {
  const slots = [inputs, outputs, state].map((list) =>
    list.map(({ name, region }) => [name, rangeOf(region)])
  );
  const places = [
    arenas.map(({ role, bytes }) => [role, bytes]),
    slots,
    constants.map(({ region }) => rangeOf(region)),
    steps.map((step) =>
      step.kind === "copy"
        ? [rangeOf(step.copy.from), rangeOf(step.copy.to)]
        : step.dispatch.bindings.map(rangeOf)
    ),
  ];
  return {
    sha256: sha256(JSON.stringify(places)),
    arenas: arenas.map(({ role, bytes }) => ({ role, bytes })),
    peak: memory.peak,
    bound: memory.bound,
  };
}
