/**
 * Where the time of a program goes, and how near each of its kernels is to what the device can do:
 * milliseconds of every dispatch beside what it moves and computes, under the roofs that were measured on the
 * same device.
 * @module
 */

import { type Compiled, compileGraph, type FusionPolicy } from "../../compiler/compile.ts";
import { RunError, showOrigin } from "../../compiler/errors.ts";
import { type Group, isTrivial } from "../../compiler/fuse/group.ts";
import type { CostModel } from "../../compiler/fuse/worthwhile.ts";
import type { Sizes } from "../../compiler/graph/dim.ts";
import type { Graph } from "../../compiler/graph/graph.ts";
import { type AnyScheduled, isRaw } from "../../compiler/kernel/raw.ts";
import { type KernelWork, workOfKernel } from "../../compiler/kernel/work.ts";
import type { Model } from "../../compiler/model/model.ts";
import { type StageSpan, TimingTrace } from "../../compiler/trace.ts";
import type { Device } from "../device.ts";
import type { Clock } from "../engine.ts";
import { type Executable, load } from "../executable.ts";
import type { Feeds, Signature } from "../feeds.ts";
import { median } from "../tune/race.ts";
import { version } from "../version.ts";
import { dataFor } from "./made_data.ts";
import { measurePeaks, type Peaks } from "./peaks.ts";
import { roofOf, type RoofPosition } from "./roof.ts";

/** One dispatch of a program. */
export interface KernelProfile {
  /** Its place among the dispatches. */
  readonly index: number;
  /** Index of its kernel in the program; dispatches with the same one share a shader. */
  readonly kernel: number;
  /** What it computes: scope and ops. */
  readonly label: string;
  /** Which schedule made it, such as `map`, `row` or `contraction`; `raw` for a kernel of the user's. */
  readonly schedule: string;
  /** Whether it is there because a reduction was split over workgroups. */
  readonly split: boolean;
  /** Workgroups, and lanes of each. */
  readonly groups: number;
  readonly lanes: number;
  /** The user's lines whose ops it computes, `file:line:column`. */
  readonly lines: readonly string[];
  /** Milliseconds: the median of the rounds, and the least. */
  readonly ms: number;
  readonly leastMs: number;
  /** Its part of the time of all dispatches, 0 … 1. */
  readonly share: number;
  /** What it does; null where that can't be known. */
  readonly work: KernelWork | null;
  readonly roof: RoofPosition | null;
}

/** What a profile is the sum of. */
export interface ProfileTotals {
  readonly dispatches: number;
  /** Of all dispatches, timed one by one. */
  readonly ms: number;
  /** Of a whole run, with nothing timed in between and the waiting for it taken off. */
  readonly runMs: number;
  /** Of the kernels whose work is known. */
  readonly loads: number;
  readonly stores: number;
  readonly reads: number;
  readonly writes: number;
  readonly flops: number;
  readonly functions: number;
  /** What all kernels together would take at their roofs, in milliseconds. */
  readonly roofMs: number;
  /**
   * Parts of the time of kernels by the roof that binds them, 0 … 1; `unknown` of those whose work is not
   * known.
   */
  readonly boundBy: Readonly<Record<RoofPosition["binds"] | "unknown", number>>;
}

/** A profile as plain data. */
export interface ProgramProfile {
  readonly version: 1;
  readonly weft: string;
  readonly name: string;
  readonly device: { readonly name: string; readonly kind: Device["kind"]; readonly target: string };
  readonly clock: Clock;
  readonly policy: string;
  readonly rounds: number;
  readonly peaks: Peaks;
  readonly kernels: readonly KernelProfile[];
  readonly totals: ProfileTotals;
  /** Stages of the compile, in order; empty where nobody listened to it. */
  readonly stages: readonly StageSpan[];
}

/** Options of `profileProgram`. */
export interface ProfileOptions {
  /** Runs in which every dispatch is timed. Default 10. */
  readonly rounds?: number;
  /** What is fed. Default: random numbers, with indices in range. */
  readonly feeds?: Feeds<Signature>;
  /** What the device reaches, where that was measured before. */
  readonly peaks?: Peaks;
  /** Seed of the initializers. Default 0. */
  readonly seed?: number;
  /** What to call it. */
  readonly name?: string;
  readonly stages?: readonly StageSpan[];
  /** Ends it early: what has been measured counts. */
  readonly signal?: AbortSignal;
  /** Hears what is done next, and which part of all rounds is done. */
  readonly onProgress?: (part: number, what: string) => void;
}

/** Options of `profileModel`. */
export interface ProfileModelOptions extends Omit<ProfileOptions, "stages"> {
  readonly device: Device;
  readonly sizes?: Sizes;
  readonly policy?: FusionPolicy;
  readonly cost?: CostModel;
}

/** Milliseconds of runs that are timed as a whole. */
const RUNS_MS = 150;

/**
 * Compiles a model for a device, runs it there and tells where its time goes.
 *
 * @throws CompileError or ShapeError where it can't be compiled, RunError where it can't run.
 * @example
 * ```ts
 * import { input, model, openDevice, softmax } from "@weft/weft";
 * import { profileModel } from "./profile_program.ts";
 *
 * const net = model({ x: input([64, 32], "f32") }, ({ x }) => ({ y: softmax(x) }));
 * using device = await openDevice({ device: "cpu" });
 * const { kernels } = await profileModel(net, { device, rounds: 3 });
 * for (const { label, ms, roof } of kernels) console.log(label, ms, roof?.binds);
 * ```
 */
export async function profileModel(
  net: Pick<Model, "graph">,
  { device, sizes = {}, policy, cost, ...options }: ProfileModelOptions,
): Promise<ProgramProfile> {
  const trace = new TimingTrace();
  const settings = { target: device.target, sizes, trace, ...policy && { policy }, ...cost && { cost } };
  const compiled = compileGraph(net.graph, settings);
  return await profileProgram(compiled, device, { ...options, stages: trace.spans });
}

/**
 * Runs a compiled program and tells where its time goes. Its state is its own and begins as the model says.
 *
 * @param compiled What was compiled for this device.
 * @throws RunError where it can't run there, or the rounds are no whole number above 0.
 */
export async function profileProgram(
  compiled: Compiled,
  device: Device,
  options: ProfileOptions = {},
): Promise<ProgramProfile> {
  const { rounds = 10, seed = 0, name = "program", stages = [], signal, onProgress = () => {} } = options;
  if (!Number.isSafeInteger(rounds) || rounds < 1) {
    throw new RunError(`profile: rounds is ${rounds}; it must be a whole number above 0.`);
  }
  if (!options.peaks) onProgress(0, "measuring what the device reaches");
  const peaks = options.peaks ?? await measurePeaks(device);
  onProgress(0, "loading: the driver compiles");
  const made = dataFor(compiled, { seed });
  using executable = await load(compiled.program, device, { state: (path) => made.states[path] });
  const feeds = options.feeds ?? made.feeds;
  const { times, runMs } = await measure(executable, feeds, rounds, signal, onProgress);
  const kernels = profilesOf(compiled, times, peaks);
  return {
    version: 1,
    weft: version,
    name,
    device: { name: device.name, kind: device.kind, target: compiled.target.name },
    clock: device.engine.clock,
    policy: compiled.policy,
    rounds: times.length,
    peaks,
    kernels,
    totals: totalsOf(kernels, runMs),
    stages: [...stages].sort((a, b) => a.begin - b.begin),
  };
}

/** `[round][dispatch]` in milliseconds, and those of a run as a whole, in turns. */
async function measure(
  executable: Executable,
  feeds: Feeds<Signature>,
  rounds: number,
  signal: AbortSignal | undefined,
  onProgress: (part: number, what: string) => void,
): Promise<{ readonly times: readonly (readonly number[])[]; readonly runMs: number }> {
  const wall = async (runs: number): Promise<number> => {
    await executable.idle();
    const start = performance.now();
    for (let i = 0; i < runs; i++) executable.run(feeds);
    await executable.idle();
    return performance.now() - start;
  };
  await wall(1); // the driver compiles
  const waiting = Math.min(await wall(0), await wall(0));
  const runs = Math.max(1, Math.ceil(RUNS_MS / Math.max(await wall(1) - waiting, 0.1) / rounds));
  const times: (readonly number[])[] = [];
  const walls: number[] = [];
  while (times.length < rounds) {
    onProgress(times.length / rounds, `round ${times.length + 1} of ${rounds}`);
    times.push((await executable.profile(feeds)).map(({ ms }) => ms));
    walls.push(Math.max(0, await wall(runs) - waiting) / runs);
    if (signal?.aborted) break;
  }
  return { times, runMs: median(walls) };
}

function profilesOf(
  { program, kernels, serves, graph }: Compiled,
  times: readonly (readonly number[])[],
  peaks: Peaks,
): readonly KernelProfile[] {
  const dispatches = program.steps.flatMap((step) => step.kind === "dispatch" ? [step.dispatch] : []);
  const ran = dispatches.map((dispatch, i) => ({ dispatch, made: kernels[i]!, groups: serves[i]! }))
    .filter(({ dispatch }) => dispatch.groups > 0);
  const medians = ran.map((_, i) => median(times.map((round) => round[i]!)));
  const total = medians.reduce((sum, ms) => sum + ms, 0);
  const works = new Works();
  return ran.map(({ dispatch: { kernel, label, split, groups }, made, groups: served }, index) => {
    const ms = medians[index]!;
    const work = works.of(made);
    return {
      index,
      kernel,
      label,
      schedule: isRaw(made.kernel) ? "raw" : made.schedule,
      split,
      groups,
      lanes: made.kernel.lanes,
      lines: linesOf(graph, served),
      ms,
      leastMs: Math.min(...times.map((round) => round[index]!)),
      share: total > 0 ? ms / total : 0,
      work,
      roof: work && roofOf(work, ms, peaks),
    };
  });
}

/** What kernels do, equal ones counted once. */
class Works {
  readonly #known = new Map<AnyScheduled["kernel"], Map<string, KernelWork>>();

  of({ kernel, groups, params }: AnyScheduled): KernelWork | null {
    if (isRaw(kernel)) return null;
    let known = this.#known.get(kernel);
    if (!known) this.#known.set(kernel, known = new Map());
    const key = `${groups} ${params}`;
    let work = known.get(key);
    if (!work) known.set(key, work = workOfKernel(kernel, { groups, params }));
    return work;
  }
}

/** Where the ops of some groups were written, views and constants left out. */
function linesOf({ builder }: Graph, groups: readonly Group[]): readonly string[] {
  const lines = new Set<string>();
  for (const { nodes } of groups) {
    for (const node of [...nodes].sort((a, b) => a.id - b.id)) {
      if (isTrivial(node)) continue;
      for (const origin of builder.originsOf(node)) lines.add(showOrigin(origin));
    }
  }
  return [...lines];
}

function totalsOf(kernels: readonly KernelProfile[], runMs: number): ProfileTotals {
  const sum = (of: (kernel: KernelProfile) => number) => kernels.reduce((n, kernel) => n + of(kernel), 0);
  const part = (roof: RoofPosition["binds"] | undefined) =>
    sum(({ share, roof: own }) => own?.binds === roof ? share : 0);
  return {
    dispatches: kernels.length,
    ms: sum(({ ms }) => ms),
    runMs,
    loads: sum(({ work }) => work?.loads ?? 0),
    stores: sum(({ work }) => work?.stores ?? 0),
    reads: sum(({ work }) => work?.reads ?? 0),
    writes: sum(({ work }) => work?.writes ?? 0),
    flops: sum(({ work }) => work?.flops ?? 0),
    functions: sum(({ work }) => work?.functions ?? 0),
    roofMs: sum(({ roof }) => roof?.roofMs ?? 0),
    boundBy: {
      memory: part("memory"),
      compute: part("compute"),
      dispatch: part("dispatch"),
      unknown: part(undefined),
    },
  };
}
