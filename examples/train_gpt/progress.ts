/** The line that says how far a run is; where nobody watches a terminal, such a line every ten seconds. */

import process from "node:process";
// @ts-types="@types/cli-progress"
import cliProgress from "cli-progress";

export interface Progress {
  /** `step` steps are done, the last of them with this loss. */
  update(step: number, loss: number): void;
  /** Something else was done meanwhile, which is no part of the speed; `text` is a line that stays. */
  say(text: string): void;
  end(): void;
}

const LINE_EVERY_MS = 10_000;
/** How much the latest steps weigh in the speed that is shown. */
const WEIGHT = 0.3;

export function showProgress(
  { from, steps, tokens }: { readonly from: number; readonly steps: number; readonly tokens: number },
): Progress {
  const speed = new Speed(from);
  const bar = process.stderr.isTTY
    ? new cliProgress.SingleBar(
      { format: "{bar} step {value}/{total}  {facts}", hideCursor: true, barsize: 20, gracefulExit: false },
      cliProgress.Presets.shades_classic,
    )
    : undefined;
  let facts = "starting";
  let done = from;
  let lineAt = performance.now();
  bar?.start(steps, from, { facts });
  return {
    update(step, loss) {
      const ms = speed.at(step);
      done = step;
      facts = `loss ${loss.toFixed(4)}` +
        (ms === undefined
          ? ""
          : `  ${showCount(1000 * tokens / ms)} tokens/s  ${showTime(ms * (steps - step) / 1000)} left`);
      if (bar !== undefined) bar.update(step, { facts });
      else if (performance.now() - lineAt >= LINE_EVERY_MS) {
        console.log(`step ${step}/${steps}  ${facts}`);
        lineAt = performance.now();
      }
    },
    say(text) {
      bar?.stop();
      console.log(text);
      bar?.start(steps, done, { facts });
      speed.pause();
    },
    end() {
      bar?.stop();
    },
  };
}

/** Milliseconds per step, of late. What happens before the first measurement, such as the driver's compiling, isn't in it. */
class Speed {
  #step: number;
  #at: number | undefined;
  #ms: number | undefined;

  constructor(step: number) {
    this.#step = step;
  }

  at(step: number): number | undefined {
    const now = performance.now();
    if (this.#at !== undefined && step > this.#step) {
      const ms = (now - this.#at) / (step - this.#step);
      this.#ms = this.#ms === undefined ? ms : WEIGHT * ms + (1 - WEIGHT) * this.#ms;
    }
    this.#step = step;
    this.#at = now;
    return this.#ms;
  }

  pause(): void {
    this.#at = undefined;
  }
}

const showCount = (x: number): string => Math.round(x).toLocaleString("en");

export function showTime(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
}
