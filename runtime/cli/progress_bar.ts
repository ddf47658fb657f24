/**
 * A bar on a terminal, and nothing elsewhere: what a command does meanwhile is no part of what it prints.
 * @module
 */

// @ts-types="@types/cli-progress"
import cliProgress from "cli-progress";

export interface ProgressBar extends Disposable {
  /** @param part Of the whole, from 0 to 1. */
  show(part: number, text: string): void;
}

/** A bar that goes away when it is disposed. */
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
