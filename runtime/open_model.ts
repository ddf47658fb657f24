/**
 * One model, many sizes: a program per choice of sizes, compiled when it is first wanted, all with one state.
 * @module
 */

import { RunError } from "../compiler/errors.ts";
import type { Sizes } from "../compiler/graph/dim.ts";
import type { Inputs } from "../compiler/model/input.ts";
import type { Outputs } from "../compiler/model/model.ts";
import type { Home, ModelExecutable, OpenExecutable, SizesFor } from "./compile.ts";
import type { Device } from "./device.ts";
import type { Feeds } from "./feeds.ts";
import type { Results } from "./results.ts";
import { sizesOfFeeds } from "./sizes.ts";
import type { InitialState, State } from "./state.ts";

type CompileFor<I extends Inputs, O extends Outputs> = (
  sizes: Sizes,
  home: Home,
) => Promise<ModelExecutable<I, O>>;

export class OpenModel<I extends Inputs, O extends Outputs> implements OpenExecutable<I, O> {
  readonly #inputs: I;
  readonly #device: Device;
  readonly #initial: State | InitialState | undefined;
  readonly #compileFor: CompileFor<I, O>;
  /** By sizes, in the order in which they were first wanted. */
  readonly #wanted = new Map<string, Promise<ModelExecutable<I, O>>>();
  readonly #programs: ModelExecutable<I, O>[] = [];
  /** Compiles happen one after the other, since the first one decides where the states lie. */
  #lastCompile: Promise<unknown> = Promise.resolve();
  #lastRun: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(
    inputs: I,
    device: Device,
    initial: State | InitialState | undefined,
    compileFor: CompileFor<I, O>,
  ) {
    this.#inputs = inputs;
    this.#device = device;
    this.#initial = initial;
    this.#compileFor = compileFor;
  }

  get state(): State {
    const first = this.#programs[0];
    if (first !== undefined) return first.state;
    throw new RunError(
      "The state is there once sizes are bound: await a run, or `at({ … })`, or give `sizes` to compile().",
    );
  }

  at(sizes: SizesFor<I>): Promise<ModelExecutable<I, O>> {
    return this.#at(sizes);
  }

  run(feeds: Feeds<I>): Promise<Results<O>> {
    const before = this.#lastRun;
    const mine = (async () => {
      const sizes = sizesOfFeeds(this.#inputs, feeds);
      const program = await this.#at(sizes);
      await before;
      return program.run(feeds);
    })();
    this.#lastRun = mine.catch(() => {});
    return mine;
  }

  async idle(): Promise<void> {
    await this.#lastRun;
    for (const program of this.#programs) await program.idle();
    await this.#device.idle();
  }

  report(): string {
    return this.#programs.map((program) => program.report()).join("\n\n");
  }

  dispose(): void {
    this.#disposed = true;
    for (const program of this.#programs) program.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #at(sizes: Sizes): Promise<ModelExecutable<I, O>> {
    const key = JSON.stringify(Object.entries(sizes).sort(([a], [b]) => a < b ? -1 : 1));
    const known = this.#wanted.get(key);
    if (known !== undefined) return known;
    const wanted = this.#lastCompile.then(() => this.#compile(sizes));
    this.#wanted.set(key, wanted);
    this.#lastCompile = wanted.catch(() => this.#wanted.delete(key));
    return wanted;
  }

  async #compile(sizes: Sizes): Promise<ModelExecutable<I, O>> {
    this.#assertOpen();
    const first = this.#programs[0];
    const program = await this.#compileFor(
      sizes,
      first === undefined ? { state: this.#initial, mine: false } : { state: first.state, mine: true },
    );
    if (this.#disposed) program.dispose();
    this.#assertOpen();
    this.#programs.push(program);
    return program;
  }

  #assertOpen(): void {
    if (this.#disposed) throw new RunError("The executable can't be used any more: it was disposed.");
  }
}
