/**
 * How far a command has come, for whoever waits.
 * @module
 */

// @ts-types="@types/cli-progress"
import cliProgress from "cli-progress";

export interface ProgressBar extends Disposable {
  /** @param part Of the whole, from 0 to 1. */
  show(part: number, text: string): void;
}

/** Where a command stands that does one step after another. */
export interface Steps {
  /** Steps done, and all that are to be done. */
  readonly done: number;
  readonly of: number;
  /** What is done next; undefined at the end. */
  readonly label: string | undefined;
  /** Part of the time that has passed, 0 … 1. */
  readonly elapsed: number;
}

/** A bar on a terminal, gone when it is disposed; nothing elsewhere. */
export function progressBar(): ProgressBar {
  const bar = new cliProgress.SingleBar({
    format: "{bar} {text}",
    hideCursor: true,
    stopOnComplete: false,
    clearOnComplete: true,
  }, cliProgress.Presets.shades_classic);
  let started = false;
  return {
    show(part, text) {
      if (!Deno.stderr.isTerminal()) return;
      const payload = { text: text.slice(0, 60) };
      if (!started) bar.start(1000, 0, payload);
      started = true;
      bar.update(Math.round(1000 * Math.min(1, part)), payload);
    },
    [Symbol.dispose]() {
      if (started) bar.stop();
    },
  };
}

/**
 * The same for steps that take long each: a line for every one of them where there is no terminal.
 *
 * @param what What is counted, such as `kernels`.
 */
export function stepsBar(what: string): { show(steps: Steps): void } & Disposable {
  const bar = progressBar();
  return {
    show({ done, of, label = "done", elapsed }) {
      const text = `${done}/${of} ${what}, ${label}`;
      if (!Deno.stderr.isTerminal()) return console.error(text);
      bar.show(Math.max(elapsed, of === 0 ? 1 : done / of), text);
    },
    [Symbol.dispose]: () => bar[Symbol.dispose](),
  };
}
