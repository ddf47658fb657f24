/**
 * A compiled model on its device: the program that runs, and what its compile decided.
 * @module
 */

import type { Compiled } from "../compiler/compile.ts";
import type { Inputs } from "../compiler/model/input.ts";
import type { Outputs } from "../compiler/model/model.ts";
import type { Program } from "../compiler/program/program.ts";
import type { ModelExecutable } from "./compile.ts";
import type { Executable } from "./executable.ts";
import type { Feeds } from "./feeds.ts";
import { noteRun } from "./first_run.ts";
import type { ProfileRow } from "./profile.ts";
import { reportText } from "./report.ts";
import type { Results } from "./results.ts";
import type { State } from "./state.ts";
import type { RunData } from "./verify.ts";

export class ModelProgram<I extends Inputs, O extends Outputs> implements ModelExecutable<I, O> {
  readonly #executable: Executable<I, O>;
  readonly #deviceName: string;
  /** Compares a run with one of another program; undefined where nobody asked for that, or it was done. */
  #compare: ((data: RunData) => Promise<unknown>) | undefined;
  #compared: Promise<unknown> | undefined;

  constructor(
    readonly compiled: Compiled,
    executable: Executable<I, O>,
    deviceName: string,
    readonly rewrites: readonly string[],
    compare?: (data: RunData) => Promise<unknown>,
  ) {
    this.#executable = executable;
    this.#deviceName = deviceName;
    this.#compare = compare;
  }

  get program(): Program {
    return this.compiled.program;
  }

  get state(): State {
    return this.#executable.state;
  }

  warmUp(): Promise<void> {
    return this.#executable.warmUp();
  }

  run(feeds: Feeds<I>): Results<O> {
    const compare = this.#compare;
    if (compare === undefined) return this.#executable.run(feeds);
    const noted = noteRun(feeds, this.state);
    // Refused feeds are the run's to complain about.
    noted.catch(() => {});
    const results = this.#executable.run(feeds);
    this.#compare = undefined;
    this.#compared = noted.then(compare);
    return results;
  }

  profile(feeds: Feeds<I>): Promise<readonly ProfileRow[]> {
    return this.#executable.profile(feeds);
  }

  async idle(): Promise<void> {
    await this.#executable.idle();
    await this.#compared;
  }

  report(): string {
    return reportText(this.#deviceName, this.compiled, this.rewrites);
  }

  dispose(): void {
    this.#executable.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
