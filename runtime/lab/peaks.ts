/**
 * What a device reaches at best, measured: how fast it copies, how fast it multiplies and adds, what a
 * dispatch costs.
 *
 * Copies are the compiler's own maps over arrays of several sizes, since what fits a cache moves faster than
 * what does not. Products are chains of multiply-adds that wait for nothing but each other, enough of them
 * beside each other to keep the units busy. All take turns for some rounds, and of each the quickest counts:
 * a roof is what can be reached. Times are those of the device's own clock (`Engine.clock`), the same as a
 * profile's.
 * @module
 */

import { compileGraph } from "../../compiler/compile.ts";
import { IrBuilder } from "../../compiler/kernel/build.ts";
import { wide } from "../../compiler/kernel/ir.ts";
import type { AnyScheduled } from "../../compiler/kernel/raw.ts";
import { input } from "../../compiler/model/input.ts";
import { model } from "../../compiler/model/model.ts";
import { aloneProgram, buffersOf, type Run } from "../../compiler/program/alone.ts";
import type { Target } from "../../compiler/target.ts";
import { add } from "../../ops/mod.ts";
import type { Device } from "../device.ts";
import type { Clock, Engine, Memory, Runner } from "../engine.ts";

/** How fast a device copies arrays that are read and written once. */
export interface Bandwidth {
  /** What is read and written, together. */
  readonly bytes: number;
  /** Gigabytes a second, reads and writes together. */
  readonly gbPerS: number;
}

/** What a device reaches at best; plain data. */
export interface Peaks {
  /** By what is moved, ascending. One entry at least. */
  readonly bandwidth: readonly Bandwidth[];
  /** Multiply-adds of f32 as two operations each, in 10⁹ a second. */
  readonly gflops: number;
  /** Milliseconds that the clock shows for a dispatch that does next to nothing. */
  readonly dispatchMs: number;
  /** Milliseconds that one more dispatch adds to a run in one pass. */
  readonly launchMs: number;
  readonly clock: Clock;
}

/** Bytes of each of the two arrays of a copy. */
const COPY_BYTES = [2 ** 17, 2 ** 20, 2 ** 23, 2 ** 25] as const;
/** A copy that takes longer is large enough. */
const LONG_MS = 10;
/** Copies there and back in one timing. */
const COPIES = 2;
/** Bytes of a copy that is next to nothing. */
const TINY_BYTES = 256;
const FEW = 16;
const MANY = 272;
const RUNS = 4;
const ROUNDS = 5;
/** Milliseconds after which no round begins. */
const ENOUGH = 1000;
/** Chains of multiply-adds, a vec4 each, that a lane follows side by side. */
const CHAINS = 8;
/** Milliseconds that a timing of multiply-adds should take, and turns that a driver lets a loop take. */
const CHAIN_MS = 2;
const MOST_TURNS = 60_000;

/**
 * Measures a device, in about a second.
 *
 * @throws RunError where the device has no room, or computes nothing any more.
 * @example
 * ```ts
 * import { openDevice } from "../device.ts";
 * import { measurePeaks } from "./peaks.ts";
 *
 * using device = await openDevice({ device: "cpu" });
 * const { bandwidth, gflops } = await measurePeaks(device);
 * console.log(`${bandwidth.at(-1)!.gbPerS.toFixed(1)} GB/s, ${gflops.toFixed(1)} GFLOP/s`);
 * ```
 */
export async function measurePeaks({ engine, target }: Pick<Device, "engine" | "target">): Promise<Peaks> {
  using made = new DisposableStack();
  const load = async (run: Run, repeats: number) =>
    made.use(await Probe.load(engine, Array.from({ length: repeats }, () => run)));

  const most = Math.min(target.limits.bindingBytes, target.limits.bufferBytes);
  const copies: { readonly bytes: number; readonly probe: Probe }[] = [];
  for (const bytes of COPY_BYTES) {
    if (bytes > most) break;
    const probe = await load(copyRun(target, bytes), COPIES);
    copies.push({ bytes, probe });
    if (await probe.quickest() > LONG_MS) break;
  }
  const tiny = copyRun(target, TINY_BYTES);
  const nothing = await load(tiny, FEW);
  const many = await load(tiny, MANY);
  const chains = await calibrate(target, load);

  let empty = Infinity;
  let [few, all] = [Infinity, Infinity];
  let chained = Infinity;
  const copied = copies.map(() => Infinity);
  const begin = performance.now();
  for (let round = 0; round < ROUNDS && (round < 2 || performance.now() - begin < ENOUGH); round++) {
    empty = Math.min(empty, await nothing.quickest());
    for (const [i, { probe }] of copies.entries()) {
      copied[i] = Math.min(copied[i]!, await probe.quickest());
    }
    chained = Math.min(chained, await chains.probe.quickest());
    few = Math.min(few, await nothing.wall(RUNS));
    all = Math.min(all, await many.wall(RUNS));
  }
  const measured = copies.flatMap(({ bytes }, i) => {
    const ms = copied[i]! - empty;
    // A copy that takes no longer than nothing tells nothing of how fast it is.
    return ms > empty / 2 ? [{ bytes: 2 * bytes, gbPerS: 2 * bytes / ms / 1e6 }] : [];
  });
  const largest = copies.at(-1)!.bytes;
  return {
    bandwidth: measured.length > 0
      ? measured
      : [{ bytes: 2 * largest, gbPerS: 2 * largest / Math.max(copied.at(-1)!, 1e-6) / 1e6 }],
    gflops: chains.flops / Math.max(chained - empty, 1e-6) / 1e6,
    dispatchMs: empty,
    launchMs: Math.max(0, all - few) / (RUNS * 2 * (MANY - FEW)),
    clock: engine.clock,
  };
}

/** A program of runs in memory of its own. */
class Probe implements Disposable {
  readonly #engine: Engine;
  readonly #runner: Runner;
  readonly #memories: readonly Memory[];

  private constructor(engine: Engine, runner: Runner, memories: readonly Memory[]) {
    this.#engine = engine;
    this.#runner = runner;
    this.#memories = memories;
  }

  static async load(engine: Engine, runs: readonly Run[]): Promise<Probe> {
    const buffers = buffersOf(runs[0]!);
    const program = aloneProgram(runs, buffers, (name) => buffers.findIndex((ref) => ref.name === name));
    const memories: Memory[] = [];
    let runner: Runner | undefined;
    try {
      for (const { bytes, role, name } of program.arenas) memories.push(engine.allocate(bytes, role, name));
      for (const memory of memories) await memory.confirm();
      runner = await engine.load(program, memories);
      const probe = new Probe(engine, runner, memories);
      await probe.quickest(); // the driver compiles, and the system finds the memory
      return probe;
    } catch (error) {
      runner?.dispose();
      for (const memory of memories) memory.destroy();
      throw error;
    }
  }

  /** Milliseconds of the quickest dispatch. */
  async quickest(): Promise<number> {
    return Math.min(...await this.#runner.time([], []));
  }

  /** Milliseconds from asking for some runs to their end. */
  async wall(runs: number): Promise<number> {
    await this.#engine.idle();
    const start = performance.now();
    for (let i = 0; i < runs; i++) this.#runner.run([], []);
    await this.#engine.idle();
    return performance.now() - start;
  }

  [Symbol.dispose](): void {
    this.#runner.dispose();
    for (const memory of this.#memories) memory.destroy();
  }
}

/**
 * x + 1 into another array, and that plus 1 back: both have been written, so that neither is the system's
 * empty page.
 */
function copyRun(target: Target, bytes: number): Run {
  const net = model({ x: input([bytes / 4], "f32") }, ({ x }) => ({ y: add(x, 1) }));
  const there = compileGraph(net.graph, { target }).kernels;
  const [from, to] = buffersOf(there).map(({ name }) => name) as [string, string];
  const other = (name: string): string => name === from ? to : name === to ? from : name;
  const back = there.map((kernel): AnyScheduled => ({
    ...kernel,
    buffers: kernel.buffers.map((ref) => ({ ...ref, name: other(ref.name) })),
  }));
  return [...there, ...back];
}

/** As many turns of the chains as take long enough to be timed. */
async function calibrate(
  target: Target,
  load: (run: Run, repeats: number) => Promise<Probe>,
): Promise<{ readonly probe: Probe; readonly flops: number }> {
  const most = Math.min(MOST_TURNS, target.quirks.loopBound);
  for (let turns = 256;; turns *= 4) {
    const run = chainRun(target, Math.min(turns, most));
    const probe = await load(run, 1);
    if (turns >= most || await probe.quickest() > CHAIN_MS) {
      const { kernel: { lanes, groups } } = run[0]!;
      return { probe, flops: 2 * 4 * CHAINS * Math.min(turns, most) * lanes * groups };
    }
  }
}

/** Every lane follows some chains a ← a · x + y, whose x and y nobody knows before. */
function chainRun(target: Target, turns: number): Run {
  const lanes = target.lanes.map;
  const groups = 4 * target.parallel;
  const b = new IrBuilder(lanes);
  const x = { name: "x", dtype: "f32", size: 8 } as const;
  const y = { name: "y", dtype: "f32", size: lanes * groups * 4 } as const;
  const chains = Array.from({ length: CHAINS }, () => b.array("lane", wide("f32", 4), 1));
  b.phase(() => {
    const [factor, term] = [b.load(x, b.int(0), 4), b.load(x, b.int(4), 4)];
    for (const chain of chains) b.set(chain, 0, b.widen(b.literal("f32", 1), 4));
    b.for(b.int(0), b.param("turns", "i32", turns, 0, MOST_TURNS), 1, () => {
      for (const chain of chains) {
        b.set(chain, 0, b.binary("add", b.binary("mul", b.read(chain, 0), factor), term));
      }
    });
    const sum = chains.map((chain) => b.read(chain, 0)).reduce((one, other) => b.binary("add", one, other));
    b.store(y, b.mul(b.add(b.mul(b.group, lanes), b.lane), 4), sum);
  });
  const built = b.finish(groups);
  return [{ ...built, groups, label: "multiply-adds", split: false, scratch: [], schedule: "probe" }];
}
