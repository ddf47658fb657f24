/**
 * One group of a program on a device, alone: its buffers once, and any number of ways to compute it, to be compared and
 * timed.
 * @module
 */

import { InternalError } from "../../compiler/errors.ts";
import { deviceBytes, type DType, type StoredArray } from "../../compiler/graph/dtype.ts";
import type { BufferRef } from "../../compiler/kernel/value.ts";
import { aloneProgram, buffersOf, type Run } from "../../compiler/program/alone.ts";
import { checkProgram, type Engine, type Memory, type Runner, wholeWords } from "../engine.ts";
import { fromDevice, toDevice } from "../host_form.ts";

/** Contents of buffers by name. */
export type Contents = ReadonlyMap<string, StoredArray>;

/** A program may be long, but not endless: one submit holds all of it. */
const MOST_DISPATCHES = 1000;

export class UnitBench implements Disposable {
  readonly #engine: Engine;
  readonly #homeOf: (name: string) => number;
  readonly #memories: readonly Memory[];
  /** All that a way to compute the group may bind besides scratch. */
  readonly buffers: readonly BufferRef[];
  /** Those that are written. */
  readonly results: readonly BufferRef[];

  private constructor(
    engine: Engine,
    run: Run,
    homeOf: (name: string) => number,
    memories: readonly Memory[],
  ) {
    this.#engine = engine;
    this.#homeOf = homeOf;
    this.#memories = memories;
    this.buffers = buffersOf(run);
    const written = new Set(run.flatMap(writesOf));
    this.results = this.buffers.filter(({ name }) => written.has(name));
  }

  /**
   * @param run A way to compute the group: what it binds, all ways bind.
   * @param homeOf Where a buffer lies in the whole program: equal numbers for those in one arena.
   * @throws RunError where the device has no room.
   */
  static async open(engine: Engine, run: Run, homeOf: (name: string) => number): Promise<UnitBench> {
    const memories: Memory[] = [];
    try {
      const { arenas } = aloneProgram([], buffersOf(run), homeOf);
      for (const { name, bytes } of arenas) memories.push(engine.allocate(bytes, "temporary", name));
      for (const memory of memories) await memory.confirm();
      return new UnitBench(engine, run, homeOf, memories);
    } catch (error) {
      for (const memory of memories) memory.destroy();
      throw error;
    }
  }

  /** Whether a run binds no other buffers than this group has, and writes no others. */
  takes(run: Run): boolean {
    const names = new Set(this.buffers.map(({ name }) => name));
    const results = new Set(this.results.map(({ name }) => name));
    const scratch = new Set(run.flatMap((k) => k.scratch.map(({ name }) => name)));
    return buffersOf(run).every(({ name }) => names.has(name)) &&
      run.flatMap(writesOf).every((name) => scratch.has(name) || results.has(name));
  }

  /** Fills buffers; those that are written are filled again before each run that is looked at. */
  fill(contents: Contents, which: readonly BufferRef[] = this.buffers): void {
    for (const ref of which) {
      const array = contents.get(ref.name);
      if (!array) throw new InternalError("tune", `nothing to fill "${ref.name}" with`);
      this.#engine.write(
        { memory: this.#memories[this.buffers.indexOf(ref)]!, offset: 0 },
        bytes(ref, array),
      );
    }
  }

  /** What one run leaves in the buffers that it writes, which begin as `contents` has them. */
  async compute(run: Run, contents: Contents): Promise<Contents> {
    this.fill(contents, this.results);
    using loaded = await this.#load([run]);
    loaded.runner.run([], []);
    const read = this.results.map(async (ref) => {
      const place = { memory: this.#memories[this.buffers.indexOf(ref)]!, offset: 0 };
      const data = await this.#engine.read(place, wholeWords(ref.size * deviceBytes(ref.dtype)));
      return [ref.name, fromDevice(ref.dtype, data, ref.size)] as const;
    });
    return new Map(await Promise.all(read));
  }

  /** Milliseconds of each run in each round; rounds follow one another, so that what drifts drifts for all runs alike. */
  async time(runs: readonly Run[], rounds: number, contents: Contents): Promise<readonly number[][]> {
    const most = Math.max(1, Math.floor(MOST_DISPATCHES / runs.reduce((n, run) => n + run.length, 1)));
    const times: number[][] = runs.map(() => []);
    for (let left = rounds; left > 0; left -= most) {
      // What updates itself in place would run away from where it began.
      this.fill(contents, this.results);
      const now = Math.min(left, most);
      using loaded = await this.#load(Array.from({ length: now }, () => runs).flat());
      const dispatches = await loaded.runner.time([], []);
      let at = 0;
      for (let round = 0; round < now; round++) {
        runs.forEach((run, i) => {
          const count = run.filter(({ groups }) => groups > 0).length;
          times[i]!.push(dispatches.slice(at, at += count).reduce((sum, ms) => sum + ms, 0));
        });
      }
    }
    return times;
  }

  async #load(runs: readonly Run[]): Promise<{ readonly runner: Runner } & Disposable> {
    const program = aloneProgram(runs, this.buffers, this.#homeOf);
    checkProgram(program);
    const scratch: Memory[] = [];
    try {
      for (const { name, bytes } of program.arenas.slice(this.buffers.length)) {
        scratch.push(this.#engine.allocate(bytes, "temporary", name));
      }
      for (const memory of scratch) await memory.confirm();
      const runner = await this.#engine.load(program, [...this.#memories, ...scratch]);
      return {
        runner,
        [Symbol.dispose]() {
          runner.dispose();
          for (const memory of scratch) memory.destroy();
        },
      };
    } catch (error) {
      for (const memory of scratch) memory.destroy();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const memory of this.#memories) memory.destroy();
  }
}

function writesOf({ kernel, buffers }: Run[number]): string[] {
  return kernel.buffers.flatMap(({ access }, i) => access === "read" ? [] : [buffers[i]!.name]);
}

function bytes({ dtype }: { readonly dtype: DType }, array: StoredArray): Uint8Array<ArrayBuffer> {
  const data = toDevice(dtype, array);
  if (data.byteLength % 4 === 0) return data;
  const padded = new Uint8Array(wholeWords(data.byteLength));
  padded.set(data);
  return padded;
}
