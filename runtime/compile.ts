/**
 * From a model to something that runs, in one call: compile for the device, load, give the states their first values.
 * @module
 */

import { CompileError, RunError, ShapeError } from "../compiler/errors.ts";
import { type Compiled, compileGraph, policies } from "../compiler/compile.ts";
import type { FusionPolicy } from "../compiler/fuse/policy.ts";
import type { Pass } from "../compiler/passes.ts";
import type { Arithmetic } from "../compiler/fuse/lower_group.ts";
import type { CostModel } from "../compiler/fuse/worthwhile.ts";
import { sizeNames } from "../compiler/graph/bind.ts";
import type { Sizes } from "../compiler/graph/dim.ts";
import { programDifferences } from "../compiler/lock/compare.ts";
import type { PlanLock } from "../compiler/lock/lock.ts";
import { following, lockedOptions } from "../compiler/lock/locked.ts";
import type { Inputs, SizesOf } from "../compiler/model/input.ts";
import { Model, type Outputs } from "../compiler/model/model.ts";
import type { KernelSchedule } from "../compiler/schedule/own.ts";
import type { Tuning } from "../compiler/schedule/tuning.ts";
import type { Target } from "../compiler/target.ts";
import type { Trace } from "../compiler/trace.ts";
import type { Device } from "./device.ts";
import { type Executable, load } from "./executable.ts";
import { described } from "./host_form.ts";
import { checkDevice as checkLockedFor } from "./lock/fits.ts";
import { sizesOfLock, versionNotes } from "./lock/replay.ts";
import { ModelProgram } from "./model_program.ts";
import { OpenModel } from "./open_model.ts";
import type { Feeds } from "./feeds.ts";
import type { Results } from "./results.ts";
import { layoutFor } from "./shared_layout.ts";
import type { InitialState, State } from "./state.ts";
import { type TuneOptions, tuneProgram } from "./tune/tune.ts";
import { compareRuns, type RunData } from "./verify.ts";

/** Options of `compile`. */
export interface CompileModelOptions {
  readonly device: Device;
  /** Seed of the initializers and of the random numbers that runs draw. Default 0. */
  readonly seed?: number;
  /**
   * The state of another executable, which is then used by both, without a copy: an evaluation sees the parameters as
   * they are trained. States that it lacks begin as the model says; parameters may not be lacking. The random key stays
   * each executable's own, so that drawing numbers here changes nothing there.
   *
   * Or a function of first values, by path; where it gives undefined, the model's initializer does.
   */
  readonly state?: State | InitialState;
  /** Which ops share a kernel: `policies.greedy` (the default), another of `policies`, or one of your own. */
  readonly policy?: FusionPolicy;
  /**
   * What rewrites the graph before fusion and the plan after it: the list `passes`, in another order, without some
   * (`withoutPasses(passes, "rematerialize")`), or with your own.
   */
  readonly passes?: readonly Pass[];
  /** What a repeated operation and a byte of traffic cost, for policies that ask. */
  readonly cost?: CostModel;
  /**
   * What ops on f16 tensors compute in. `"f32"`, the default, works on every device: halves are stored as halves, and
   * rounded only where they are stored. `"f16"` rounds the result of each op to a half, and computes in 16 bits where that
   * gives the same; it needs a device that has shader-f16 (`device.target.features.f16`), and gives the same numbers on
   * each that has it. Sums accumulate in f32 either way.
   */
  readonly arithmetic?: Arithmetic;
  /**
   * What to compile for, in place of `device.target`: other numbers for schedules, or smaller limits, as
   * `{ ...device.target, limits: { ...device.target.limits, storageBuffers: 8 } }`. The device must offer all of it.
   */
  readonly target?: Target;
  /** Hears the compiler's stages. */
  readonly trace?: Trace;
  /**
   * Whether the first run is also computed without fusion, and compared kernel by kernel. The error that names the first
   * difference is thrown by `idle()`, and ends the program where nobody awaits that. Costs memory for every intermediate
   * tensor, and the time of three runs.
   */
  readonly verify?: boolean;
  /**
   * Whether kernels are tuned for the device first: numbers of lanes, tiles and the like are tried, each candidate is
   * compared with the default and timed, and what is found is remembered for the next process. Takes 30 seconds at most,
   * or as many as said. Without it equal models compile to equal programs, and nothing that was remembered is used.
   */
  readonly tune?: boolean | TuneOptions;
  /**
   * Your own ways to compute a group of ops, each asked before those that ship; one may decline with a reason. Their
   * kernels are verified like all others, and `verify` compares their numbers.
   */
  readonly schedules?: readonly KernelSchedule[];
  /**
   * The plan to follow, as `readLock` and `lockOf` give it: target, sizes, passes, fusion and tuning are the lock's, and
   * kernels come out as they were locked, hash for hash, or the compile fails and says what differs.
   */
  readonly lock?: PlanLock;
}

/** A number for each named size of the inputs. */
export type SizesFor<I extends Inputs> = { readonly [N in SizesOf<I>]: number };

/** A model on a device, for one choice of sizes. */
export interface ModelExecutable<I extends Inputs, O extends Outputs> extends Executable<I, O> {
  /** What the compiler made and decided. */
  readonly compiled: Compiled;
  /** Kernels, dispatches and memory, as text. */
  report(): string;
}

/**
 * A model on a device whose sizes are told by what it is fed. Each choice of sizes is compiled when it first occurs; all
 * use one state.
 */
export interface OpenExecutable<I extends Inputs, O extends Outputs> extends Disposable {
  /** There once a run or `at` has bound the sizes. */
  readonly state: State;
  /** The program for given sizes. It belongs to this executable: don't dispose it. */
  at(sizes: SizesFor<I>): Promise<ModelExecutable<I, O>>;
  /** One run; runs happen in the order of the calls. Resolves as soon as the run is asked for, without waiting for it. */
  run(feeds: Feeds<I>): Promise<Results<O>>;
  /** Resolves when all runs so far are done. */
  idle(): Promise<void>;
  /** The reports of all sizes so far. */
  report(): string;
  /** Frees the memory of all sizes. */
  dispose(): void;
}

/** What `compile` gives where no sizes are stated. */
export type Unsized<I extends Inputs, O extends Outputs> = [SizesOf<I>] extends [never]
  ? ModelExecutable<I, O>
  : OpenExecutable<I, O>;

/**
 * Compiles a model and loads it on a device.
 *
 * With `sizes`, everything is compiled now and `run` returns at once. Without, for a model that has named sizes, each run
 * binds them to what it is fed, and `run` gives a promise.
 *
 * @throws CompileError or ShapeError where the model can't be compiled as asked; RunError where the device or the state
 * doesn't fit.
 * @example
 * ```ts
 * import { compile, crossEntropy, input, linear, model, openDevice, sgd, trainStep } from "@weft/weft";
 *
 * const net = model({ x: input(["batch", 2], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
 *   return { loss: crossEntropy(linear(2, 3)(x), y) };
 * });
 * using device = await openDevice({ device: "cpu" });
 * using step = await compile(trainStep(net, sgd({ rate: 0.1 })), { device, sizes: { batch: 2 } });
 * const { loss } = step.run({ x: new Float32Array([0, 1, 1, 0]), y: new Int32Array([0, 2]) });
 * console.log(await loss.item());
 * ```
 */
export function compile<I extends Inputs, O extends Outputs>(
  model: Model<I, O>,
  options: CompileModelOptions & ({ readonly sizes: SizesFor<I> } | { readonly lock: PlanLock }),
): Promise<ModelExecutable<I, O>>;
export function compile<I extends Inputs, O extends Outputs>(
  model: Model<I, O>,
  options: CompileModelOptions,
): Promise<Unsized<I, O>>;
export async function compile<I extends Inputs, O extends Outputs>(
  model: Model<I, O>,
  options: CompileModelOptions & { readonly sizes?: Sizes },
): Promise<ModelExecutable<I, O> | OpenExecutable<I, O>> {
  if (!(model instanceof Model)) {
    throw new ShapeError("compile(): takes a model, as model(…) and trainStep(…) make it");
  }
  checkDevice(options?.device);
  checkOptions(options);
  const { state } = options;
  const compileFor = (sizes: Sizes, home: Home) => compileAt(model, options, sizes, home);
  if (options.lock !== undefined) {
    const { checkLock } = await import("./lock/check.ts");
    const sizes = sizesOfLock(checkLock(options.lock, "compile(): the lock"), options.sizes, "compile()");
    return await compileFor(sizes, { state, mine: false });
  }
  if (options.sizes === undefined && sizeNames(model.graph).length > 0) {
    return new OpenModel<I, O>(model.inputs, options.device, state, compileFor);
  }
  return await compileFor(options.sizes ?? {}, { state, mine: false });
}

function checkDevice(device: unknown): void {
  if (device instanceof Promise) {
    throw new RunError("compile(): the device is a promise; await openDevice() first.");
  }
  if (typeof device === "object" && device !== null && "engine" in device) return;
  throw new RunError(
    "compile(): wants the device to run on: compile(model, { device }) with `using device = await openDevice()`.",
  );
}

function checkOptions(options: CompileModelOptions): void {
  const { device, seed, policy, passes, arithmetic, target, tune, schedules, lock } = options;
  if (target !== undefined) checkTarget(target, device);
  if (seed !== undefined && !Number.isSafeInteger(seed)) {
    throw new RunError(
      `compile(): the seed is ${
        typeof seed === "number" ? seed : described(seed)
      }; it must be a whole number below 2⁵³.`,
    );
  }
  if (arithmetic !== undefined && arithmetic !== "f32" && arithmetic !== "f16") {
    throw new RunError(`compile(): arithmetic is ${described(arithmetic)}; it may be "f32" or "f16".`);
  }
  if (policy !== undefined && typeof policy?.cover !== "function") {
    throw new RunError(
      `compile(): the policy is ${
        described(policy)
      }; give policies.greedy, policies.none or one of your own.`,
    );
  }
  if (
    passes !== undefined &&
    !(Array.isArray(passes) && passes.every((pass) => typeof pass?.run === "function"))
  ) {
    throw new RunError(
      'compile(): "passes" is no list of passes; give `passes` or one made of it, such as withoutPasses(passes, "pack").',
    );
  }
  if (tune !== undefined && typeof tune !== "boolean" && (typeof tune !== "object" || tune === null)) {
    throw new RunError(
      `compile(): tune is ${described(tune)}; give true or options such as { seconds: 60 }.`,
    );
  }
  if (schedules !== undefined && !(Array.isArray(schedules) && schedules.every(isSchedule))) {
    throw new RunError(
      'compile(): "schedules" is no list of schedules; each has a name and a function: ' +
        '{ name: "mine", schedule: (group, target) => … }.',
    );
  }
  const decided = (["policy", "cost", "arithmetic", "target", "tune"] as const).find((key) =>
    options[key] !== undefined
  );
  if (lock !== undefined && decided !== undefined) {
    throw new RunError(
      `compile(): ${decided} is given beside a lock, which has decided that already. Leave out one of the two.`,
    );
  }
}

const isSchedule = (value: Partial<KernelSchedule> | undefined): boolean =>
  typeof value?.name === "string" && typeof value.schedule === "function";

function checkTarget(target: Partial<Target> | null, { name, target: own }: Device): void {
  const { limits, features, builtins, broadcast, subgroup } = target ?? {};
  if (!limits || !features || !builtins || broadcast === undefined || subgroup === undefined) {
    throw new RunError(
      "compile(): the target is none; take the device's and change what should differ: { ...device.target, … }.",
    );
  }
  for (const key of Object.keys(own.limits) as (keyof Target["limits"])[]) {
    if (limits[key] <= own.limits[key]) continue;
    throw new RunError(
      `compile(): the target's limit ${key} is ${limits[key]}, and ${name} has ${
        own.limits[key]
      }. A target may ask ` +
        "for what the device has, or less.",
    );
  }
  for (const key of ["f16", "subgroups"] as const) {
    if (!features[key] || own.features[key]) continue;
    throw new RunError(`compile(): the target has the feature ${key}, and ${name} has not.`);
  }
  for (
    const [key, lanes] of Object.entries({ broadcast, subgroup }) as ["broadcast" | "subgroup", number][]
  ) {
    if (lanes <= own[key]) continue;
    throw new RunError(
      `compile(): the target lets ${lanes} lanes hand one another values (\`${key}\`), and on ${name} ` +
        `${
          own[key] === 0 ? "none" : `only ${own[key]}`
        } are known to. Leave \`${key}\` as the device has it, or less.`,
    );
  }
  if (builtins.exp && !own.builtins.exp) {
    throw new RunError(
      `compile(): the target takes the device's own exp for exact enough, and that of ${name} is not. Leave ` +
        "`builtins` as the device has them.",
    );
  }
}

/** Where an executable's states come from; `mine`: from another program of the same executable. */
export interface Home {
  readonly state: State | InitialState | undefined;
  readonly mine: boolean;
}

async function compileAt<I extends Inputs, O extends Outputs>(
  model: Model<I, O>,
  options: CompileModelOptions,
  sizes: Sizes,
  { state, mine }: Home,
): Promise<ModelExecutable<I, O>> {
  const { device, seed = 0, policy, passes, cost, arithmetic, trace, verify, tune, schedules, lock } =
    options;
  const { target = device.target } = options;
  const { graph } = model;
  const shared = typeof state === "object" ? state : undefined;
  const settings = {
    ...lock ? lockedOptions(lock, { ...passes && { passes }, ...schedules && { schedules } }) : {
      target,
      sizes,
      ...policy && { policy },
      ...cost && { cost },
      passes,
      arithmetic,
      schedules,
    },
    ...trace && { trace },
  };
  const layout = shared && layoutFor(graph, sizes, shared, mine);
  const compilePlain = () => compileGraph(graph, { ...settings, layout });
  const plain = lock ? following(compilePlain) : compilePlain();
  const tuning: Tuning = tune ? (await tuneProgram(plain, device, tune === true ? {} : tune)).tuning : {};
  const isTuned = Object.keys(tuning).length > 0;
  const compiled = isTuned ? compileGraph(graph, { ...settings, layout, tuning }) : plain;
  if (lock) checkLocked(lock, compiled, device);
  const initializers = new Map(graph.states.map((declared) => [declared.path, declared.initializer]));
  const first: InitialState = (path, shape, dtype, role) =>
    (typeof state === "function" ? state(path, shape, dtype, role) : undefined) ??
      initializers.get(path)?.({ shape, dtype, seed, path });
  const executable = await load<I, O>(compiled.program, device, { state: first, ...shared && { shared } });
  const compare = (data: RunData) => {
    const fused = compileGraph(graph, { ...settings, keep: true, ...isTuned && { tuning } });
    // By the compiler's own schedules: a user's are what is compared.
    const unfused = compileGraph(graph, {
      ...settings,
      policy: policies.none,
      schedules: [],
      tuning: {},
      keep: true,
    });
    return compareRuns(device, fused, unfused, data);
  };
  return new ModelProgram(compiled, executable, device.name, model.rewrites, verify ? compare : undefined);
}

/** @throws CompileError or RunError where a lock was not followed to the letter. */
function checkLocked(lock: PlanLock, compiled: Compiled, device: Device): void {
  checkLockedFor(compiled, device);
  // Who uses the states of another program has them where that one put them.
  const differences = programDifferences(lock, compiled, { places: compiled.given.layout === undefined });
  if (differences.length === 0) return;
  const notes = versionNotes(lock).map((note) => ` (${note})`).join("");
  throw new CompileError(
    `compile(): the lock can't be followed${notes}: ${
      differences.join("; ")
    }. Make a new one with \`weft lock\``,
  );
}
