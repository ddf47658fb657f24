/**
 * Ways to compile a model, side by side: what each plan runs and moves, and how long it takes on a device.
 * @module
 */

import { type Compiled, compileGraph, type CompileOptions } from "../../compiler/compile.ts";
import { InternalError, RunError, WeftError } from "../../compiler/errors.ts";
import type { Sizes } from "../../compiler/graph/dim.ts";
import type { Model } from "../../compiler/model/model.ts";
import type { Target } from "../../compiler/target.ts";
import type { Device } from "../device.ts";
import { turn } from "../turn.ts";
import { type MeasureOptions, measurePlans, type TimedPlan, type Timing, type Untimed } from "./measure.ts";
import { type PlanNumbers, planNumbers } from "./plan_numbers.ts";

/** One way to compile: what it says differs from a plain compile. */
export interface Variant extends Pick<CompileOptions, "policy" | "passes" | "cost" | "schedules" | "tuning"> {
  /** Another model, in place of the one that is compared. */
  readonly model?: Pick<Model, "graph">;
}

export interface ComparePlansOptions extends Omit<MeasureOptions, "onProgress"> {
  /** Where plans are timed; without one only what is known before a run is compared, for `target`. */
  readonly device?: Device;
  /** What plans are compiled for. Default: the device's own. */
  readonly target?: Target;
  /** A number for every named size. */
  readonly sizes?: Sizes;
  readonly onProgress?: (progress: PlanProgress) => void;
}

export interface PlanProgress {
  readonly done: number;
  /** Undefined where only the time ends it. */
  readonly of: number | undefined;
  /** What is done now. */
  readonly label: string | undefined;
  /** Part of the time that has passed, 0 … 1. */
  readonly elapsed: number;
}

/** A variant and what came of it. */
export interface PlanRow {
  readonly name: string;
  /** Why it could not be compiled or loaded; then there are no numbers. */
  readonly failed?: string;
  readonly plan?: PlanNumbers;
  readonly compileMs?: number;
  /** The row whose program this is, to the last bit: it takes the same time. */
  readonly sameAs?: string;
  /** Absent where nothing was timed. */
  readonly timing?: Timing;
  /** Why it was not timed, where others were. */
  readonly untimed?: string;
}

export interface PlanComparison {
  /** What plans were compiled for, and run on. */
  readonly target: string;
  readonly device: string | undefined;
  /** The first is what the others are compared with. */
  readonly rows: readonly PlanRow[];
}

/**
 * Compiles a model in several ways, and times the plans in turns.
 *
 * @param variants By name; the first is the one that ratios are of.
 * @throws RunError where there is no variant, and neither device nor target; what compiling the first one throws.
 * @example
 * ```ts
 * import { comparePlans, input, model, openDevice, policies, printPlans, softmax } from "@weft/weft";
 *
 * const net = model({ x: input([64, 256], "f32") }, ({ x }) => ({ y: softmax(x) }));
 * using device = await openDevice({ device: "cpu" });
 * const ways = { fused: {}, apart: { policy: policies.none } };
 * console.log(printPlans(await comparePlans(net, ways, { device, rounds: 6 })));
 * ```
 */
export async function comparePlans(
  model: Pick<Model, "graph">,
  variants: Readonly<Record<string, Variant>>,
  options: ComparePlansOptions,
): Promise<PlanComparison> {
  const { device, target = device?.target, sizes = {}, signal, onProgress } = options;
  const entries = Object.entries(variants);
  if (entries.length === 0) {
    throw new RunError("comparePlans(): there is nothing to compare; give variants by name.");
  }
  if (target === undefined) {
    throw new RunError("comparePlans(): give a device to time plans on, or a target to compile for.");
  }
  const rows: (PlanRow & { readonly compiled?: Compiled })[] = [];
  for (const [done, [name, variant]] of entries.entries()) {
    if (signal?.aborted) break;
    onProgress?.({ done, of: entries.length, label: `compiling ${name}`, elapsed: 0 });
    await turn(); // a progress bar and Ctrl-C want to be heard
    // The engine compiles the compiler first: that is nobody's time.
    if (done === 0) compileVariant(model, variant, { target, sizes });
    const made = compileVariant(model, variant, { target, sizes });
    if (typeof made === "string") {
      if (done === 0) {
        throw new RunError(`comparePlans(): "${name}", which the others are compared with, fails: ${made}`);
      }
      rows.push({ name, failed: made });
      continue;
    }
    const { compiled, compileMs } = made;
    const plan = planNumbers(compiled);
    const same = rows.find((row) => row.plan?.digest === plan.digest);
    rows.push({ name, plan, compileMs, ...same ? { sameAs: same.sameAs ?? same.name } : { compiled } });
  }
  const timings = device && rows.length > 0
    ? await timed(rows, device, options)
    : new Map<string, Timing | Untimed>();
  onProgress?.({ done: entries.length, of: entries.length, label: undefined, elapsed: 1 });
  return {
    target: target.name,
    device: device?.name,
    rows: rows.map(({ compiled: _, ...row }): PlanRow => {
      const timing = timings.get(row.sameAs ?? row.name);
      if (!timing) return row;
      return "because" in timing ? { ...row, untimed: timing.because } : { ...row, timing };
    }),
  };
}

/** A compile and its time, or why there is none. */
function compileVariant(
  model: Pick<Model, "graph">,
  { model: other, ...settings }: Variant,
  given: Pick<CompileOptions, "target" | "sizes">,
): { readonly compiled: Compiled; readonly compileMs: number } | string {
  const { graph } = other ?? model;
  const start = performance.now();
  try {
    const compiled = compileGraph(graph, { ...given, ...settings });
    return { compiled, compileMs: performance.now() - start };
  } catch (error) {
    if (error instanceof WeftError || error instanceof InternalError) return error.what;
    throw error;
  }
}

async function timed(
  rows: readonly (PlanRow & { readonly compiled?: Compiled })[],
  device: Device,
  { onProgress, ...options }: ComparePlansOptions,
): Promise<ReadonlyMap<string, Timing | Untimed>> {
  const distinct = rows.flatMap(({ name, compiled, plan }) =>
    compiled && plan ? [{ name, compiled, bytes: plan.memory }] : []
  );
  const [base, ...others] = distinct as [TimedPlan, ...TimedPlan[]];
  const timings = await measurePlans(base, others, device, {
    ...options,
    onProgress: ({ round, of, label, elapsed }) => onProgress?.({ done: round, of, label, elapsed }),
  });
  return new Map(distinct.map(({ name }, i) => [name, timings[i]!] as const));
}
