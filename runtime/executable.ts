/**
 * A program on a device: run it, read what it gives, look after its state.
 *
 * Loading makes everything that a run needs. A run then checks its feeds, puts them in place, asks the engine for one
 * submit and gives handles; it waits for nothing and makes no buffer. Only reading waits.
 * @module
 */

import { InternalError, RunError } from "../compiler/errors.ts";
import type { Program } from "../compiler/program/program.ts";
import type { Device } from "./device.ts";
import { checkProgram, type Engine, type Memory, type Runner } from "./engine.ts";
import { type CheckedFeed, checkFeeds, type Feeds, type Signature, writeFeeds } from "./feeds.ts";
import { type ProfileRow, profileRows } from "./profile.ts";
import { ResultRing, type Results } from "./results.ts";
import { SharedMemory } from "./shared_memory.ts";
import { type InitialState, ProgramState, type State } from "./state.ts";

/** A program on a device: run it, read what it gives, look after its state. */
export interface Executable<I extends Signature = Signature, O extends Signature = Signature>
  extends Disposable {
  readonly program: Program;
  readonly state: State;
  /**
   * Makes the first run as fast as the next. Drivers that compute on the CPU compile a kernel when it is first dispatched,
   * some 0.3 s each; this dispatches each kernel once on other memory, so neither state nor results change. Kernels on more
   * than 64 MiB, and a user's own (`customKernel`), are left to the first run.
   */
  warmUp(): Promise<void>;
  /**
   * Asks for one run and returns at once; the arrays may be changed afterwards. Throws before anything has happened
   * where a feed doesn't fit.
   */
  run(feeds: Feeds<I>): Results<O>;
  /** One run, with the state written as by any other, in which each dispatch is timed. No other run may begin meanwhile. */
  profile(feeds: Feeds<I>): Promise<readonly ProfileRow[]>;
  /**
   * Resolves when all runs so far are done, and lets timers, signals and input have their turn meanwhile. A loop that
   * awaits neither this nor a result now and then keeps them all waiting.
   */
  idle(): Promise<void>;
  /** Frees the program's memory; its results can't be read afterwards, except kept ones. */
  dispose(): void;
}

/** Options of `load`. */
export interface LoadProgramOptions {
  /**
   * The state's first values: a function that gives them by path, or the state of another program on the device, which
   * must have all parameters; what else both have is copied too. Zeros where nothing is given.
   */
  readonly state?: InitialState | State;
  /**
   * The state whose memory the program uses, for a program that was compiled for its layout (`CompileOptions.layout`).
   * What lies there already stays as it is; the memory is freed when the last program that uses it is disposed.
   */
  readonly shared?: State;
}

/**
 * Loads a program on a device. `I` and `O` are what the compiler knows of its inputs and outputs.
 *
 * @example
 * ```ts
 * import { openDevice } from "./device.ts";
 * import { load } from "./executable.ts";
 * import type { Program } from "../compiler/program/program.ts";
 *
 * const memory = { peak: 0, bound: 0 };
 * const empty: Program = {
 *   version: 1, arenas: [], kernels: [], steps: [], inputs: [], outputs: [], state: [], constants: [], memory,
 * };
 * using device = await openDevice({ device: "cpu" });
 * using executable = await load(empty, device);
 * executable.run({});
 * ```
 */
export async function load<I extends Signature = Signature, O extends Signature = Signature>(
  program: Program,
  device: Device,
  { state, shared }: LoadProgramOptions = {},
): Promise<Executable<I, O>> {
  if (program.version !== 1) {
    throw new InternalError("runtime", `a program of version ${program.version}, where 1 is known`);
  }
  checkProgram(program);
  const { engine } = device;
  const home = shared === undefined ? undefined : homeOf(shared, engine, program);
  const states: SharedMemory[] = [];
  const memories: Memory[] = [];
  const own: Memory[] = [];
  let runner: Runner | undefined;
  try {
    for (const [index, { name, bytes, role }] of program.arenas.entries()) {
      const lent = home?.[index];
      const memory = lent?.memory ?? engine.allocate(bytes, role, name);
      memories.push(memory);
      if (role === "state") states.push(lent?.retain() ?? new SharedMemory(memory));
      else own.push(memory);
    }
    const ring = new ResultRing(engine, program, memories);
    if (ring.memory !== undefined) own.push(ring.memory);
    for (const memory of [...states.map((state) => state.memory), ...own]) await memory.confirm();
    for (const { region, data } of program.constants) {
      if (region.bytes === 0) continue;
      engine.write({ memory: memories[region.arena]!, offset: region.offset }, paddedToWords(data));
    }
    runner = await engine.load(program, memories);
    const loaded = new LoadedProgram<I, O>(program, engine, runner, ring, { memories, states, own });
    if (typeof state === "function") loaded.state.initialize(state, home?.length);
    else if (state !== undefined) loaded.state.initializeFrom(state);
    return loaded;
  } catch (error) {
    for (const memory of own) memory.destroy();
    for (const memory of states) memory.release();
    runner?.dispose();
    throw error;
  }
}

/** What a program's arenas lie in. */
interface ProgramMemory {
  /** In the order of the arenas. */
  readonly memories: readonly Memory[];
  /** Those that hold states, which other programs may use too. */
  readonly states: readonly SharedMemory[];
  /** Those that are this program's alone. */
  readonly own: readonly Memory[];
}

/** The memory of a state that a program was compiled for, by the program's arenas. */
function homeOf(shared: State, engine: Engine, program: Program): readonly SharedMemory[] {
  if (!(shared instanceof ProgramState)) {
    throw new RunError("load(): `shared` takes the `state` of another executable.");
  }
  return shared.lend(engine, program);
}

class LoadedProgram<I extends Signature, O extends Signature> implements Executable<I, O> {
  readonly state: ProgramState;
  readonly #engine: Engine;
  readonly #runner: Runner;
  readonly #ring: ResultRing;
  readonly #memory: ProgramMemory;
  #disposed = false;
  #profiling = false;

  constructor(
    readonly program: Program,
    engine: Engine,
    runner: Runner,
    ring: ResultRing,
    memory: ProgramMemory,
  ) {
    this.#engine = engine;
    this.#runner = runner;
    this.#ring = ring;
    this.#memory = memory;
    this.state = new ProgramState(engine, program, memory, () => this.#assertOpen());
  }

  async warmUp(): Promise<void> {
    this.#assertOpen();
    await this.#runner.warmUp();
  }

  run(feeds: Feeds<I>): Results<O> {
    const checked = this.#check(feeds);
    this.#runner.run(writeFeeds(checked, this.#memory.memories, this.#engine), this.#ring.transfers);
    return this.#ring.next() as Results<O>;
  }

  async profile(feeds: Feeds<I>): Promise<readonly ProfileRow[]> {
    const checked = this.#check(feeds);
    const before = writeFeeds(checked, this.#memory.memories, this.#engine);
    this.#profiling = true;
    try {
      const times = await this.#runner.time(before, this.#ring.transfers);
      this.#ring.next();
      return profileRows(this.program, times);
    } finally {
      this.#profiling = false;
    }
  }

  idle(): Promise<void> {
    return this.#engine.idle();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#ring.end("its program was disposed");
    for (const memory of this.#memory.own) memory.destroy();
    for (const memory of this.#memory.states) memory.release();
    this.#runner.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #check(feeds: Feeds<I>): readonly CheckedFeed[] {
    this.#assertOpen();
    this.#engine.assertUsable();
    return checkFeeds(this.program.inputs, feeds, this.#engine);
  }

  #assertOpen(): void {
    if (this.#disposed) throw new RunError("The program can't be used any more: it was disposed.");
    if (this.#profiling) throw new RunError("The program is being profiled: await `profile()` first.");
  }
}

function paddedToWords(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (data.byteLength % 4 === 0) return data;
  const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
  padded.set(data);
  return padded;
}
