/**
 * How far a command has come, for whoever waits: a bar on a terminal, lines elsewhere.
 * @module
 */

// @ts-types="@types/cli-progress"
import cliProgress from "cli-progress";

/** Where a command stands. */
export interface Progress {
  /** Steps done, and all that are to be done. */
  readonly done: number;
  readonly of: number;
  /** What is done next; undefined at the end. */
  readonly label: string | undefined;
  /** Part of the time that has passed, 0 … 1. */
  readonly elapsed: number;
}

/** @param what What is counted, such as `kernels`. */
export function progressBar(what: string): { show(progress: Progress): void } & Disposable {
  const bar = new cliProgress.SingleBar({
    format: `{bar} {done}/{of} ${what}, {label}`,
    hideCursor: true,
    stopOnComplete: false,
    noTTYOutput: false,
    clearOnComplete: true,
  }, cliProgress.Presets.shades_classic);
  let started = false;
  const isTerminal = Deno.stderr.isTerminal();
  return {
    show({ done, of, label = "done", elapsed }) {
      if (!isTerminal) return console.error(`${done}/${of} ${what}, ${label}`);
      const payload = { done, of, label: label.slice(0, 40) };
      if (!started) bar.start(1000, 0, payload);
      started = true;
      bar.update(Math.round(1000 * Math.max(elapsed, of === 0 ? 1 : done / of)), payload);
    },
    [Symbol.dispose]() {
      if (started) bar.stop();
    },
  };
}
