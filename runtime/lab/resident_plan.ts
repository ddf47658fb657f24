/**
 * A program on a device with everything in place, inputs too: what a run costs then is its kernels and nothing that a
 * program's user does around them.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { isFloat, type StoredArray } from "../../compiler/graph/dtype.ts";
import type { Slot } from "../../compiler/program/program.ts";
import type { Device } from "../device.ts";
import { checkProgram, type Engine, type Memory, type Runner, wholeWords } from "../engine.ts";
import { elementsOf } from "../feeds.ts";
import { fromDevice, toDevice } from "../host_form.ts";
import { dataFor } from "./made_data.ts";

export class ResidentPlan implements Disposable {
  readonly #compiled: Compiled;
  readonly #engine: Engine;
  readonly #memories: readonly Memory[];
  readonly #runner: Runner;

  private constructor(compiled: Compiled, engine: Engine, memories: readonly Memory[], runner: Runner) {
    this.#compiled = compiled;
    this.#engine = engine;
    this.#memories = memories;
    this.#runner = runner;
  }

  /**
   * Loads a program, feeds it numbers as tuning does, and gives states their first values.
   *
   * @throws RunError where the device has no room.
   */
  static async open(compiled: Compiled, { engine }: Device): Promise<ResidentPlan> {
    const { program } = compiled;
    checkProgram(program);
    const memories: Memory[] = [];
    let runner: Runner | undefined;
    try {
      for (const { bytes, role, name } of program.arenas) memories.push(engine.allocate(bytes, role, name));
      for (const memory of memories) await memory.confirm();
      runner = await engine.load(program, memories);
      const plan = new ResidentPlan(compiled, engine, memories, runner);
      plan.#fill();
      return plan;
    } catch (error) {
      runner?.dispose();
      for (const memory of memories) memory.destroy();
      throw error;
    }
  }

  #fill(): void {
    const { program } = this.#compiled;
    const { feeds, states } = dataFor(this.#compiled);
    for (const slot of program.inputs) this.#write(slot, feeds[slot.name]!);
    for (const slot of program.state) this.#write(slot, states[slot.name]!);
    for (const { region, data } of program.constants) {
      if (region.bytes === 0) continue;
      const padded = new Uint8Array(wholeWords(data.byteLength));
      padded.set(data);
      this.#engine.write({ memory: this.#memories[region.arena]!, offset: region.offset }, padded);
    }
  }

  #write({ region, dtype }: Slot, array: StoredArray): void {
    if (region.bytes === 0) return;
    this.#engine.write(
      { memory: this.#memories[region.arena]!, offset: region.offset },
      toDevice(dtype, array),
    );
  }

  /** Milliseconds per run of so many runs, one after the other, the one wait for them included. */
  async time(runs: number): Promise<number> {
    const start = performance.now();
    for (let n = 0; n < runs; n++) this.#runner.run([], []);
    await this.#engine.idle();
    return (performance.now() - start) / runs;
  }

  /** The first output in which a number is none, after some runs: times of such runs say little. */
  async undefinedOutput(): Promise<string | undefined> {
    for (const { name, dtype, shape, region } of this.#compiled.program.outputs) {
      if (!isFloat(dtype) || region.bytes === 0) continue;
      const place = { memory: this.#memories[region.arena]!, offset: region.offset };
      const data = await this.#engine.read(place, wholeWords(region.bytes));
      if (fromDevice(dtype, data, elementsOf(shape)).some((x) => !Number.isFinite(x))) return name;
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#runner.dispose();
    for (const memory of this.#memories) memory.destroy();
  }
}
