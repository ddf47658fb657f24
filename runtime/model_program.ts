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
import type { ProfileRow } from "./profile.ts";
import { reportText } from "./report.ts";
import type { Results } from "./results.ts";
import type { State } from "./state.ts";

export class ModelProgram<I extends Inputs, O extends Outputs> implements ModelExecutable<I, O> {
  readonly #executable: Executable<I, O>;
  readonly #deviceName: string;

  constructor(readonly compiled: Compiled, executable: Executable<I, O>, deviceName: string) {
    this.#executable = executable;
    this.#deviceName = deviceName;
  }

  get program(): Program {
    return this.compiled.program;
  }

  get state(): State {
    return this.#executable.state;
  }

  run(feeds: Feeds<I>): Results<O> {
    return this.#executable.run(feeds);
  }

  profile(feeds: Feeds<I>): Promise<readonly ProfileRow[]> {
    return this.#executable.profile(feeds);
  }

  idle(): Promise<void> {
    return this.#executable.idle();
  }

  report(): string {
    return reportText(this.#deviceName, this.compiled);
  }

  dispose(): void {
    this.#executable.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
