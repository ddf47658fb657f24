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
  /** Steps done, and all that are to be done; undefined where the time alone ends them. */
  readonly done: number;
  readonly of: number | undefined;
  /** What is done next; undefined at the end. */
  readonly label: string | undefined;
  /** Part of the time that has passed, 0 … 1. */
  readonly elapsed: number;
}

/** Milliseconds between two lines of the same kind, where there is no terminal. */
const pause = 2000;

/** Lines on stderr, but not one for each of many small steps: lines that differ after a first number are of one kind. */
export function lines(): (text: string, kind?: string) => void {
  let [last, at] = ["", -Infinity];
  return (text, kind = text.replace(/\d.*/, "")) => {
    const now = performance.now();
    if (kind === last && now - at < pause) return;
    [last, at] = [kind, now];
    console.error(text);
  };
}

/** A bar on a terminal, gone when it is disposed; a line now and then elsewhere. */
export function progressBar(): ProgressBar {
  const bar = new cliProgress.SingleBar({
    format: "{bar} {text}",
    hideCursor: true,
    stopOnComplete: false,
    clearOnComplete: true,
  }, cliProgress.Presets.shades_classic);
  const say = lines();
  let started = false;
  return {
    show(part, text) {
      if (!Deno.stderr.isTerminal()) {
        return say(`${Math.floor(100 * Math.min(1, part))} %: ${text}`, text.replace(/\d.*/, ""));
      }
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

/** Passes on how far a step is where it takes longer than a second, and then for each twentieth that is done. */
export function whenSlow(
  show: (part: number) => void,
  now: () => number = () => performance.now(),
): (part: number) => void {
  let started: number | undefined;
  let next = 0;
  return (part) => {
    started ??= now();
    if (part < next || now() - started < 1000) return;
    next = part + 0.05;
    show(part);
  };
}

/**
 * The same for steps that take long each: what is done next is said at once where it is something else.
 *
 * @param what What is counted, such as `kernels`.
 */
export function stepsBar(what: string): { show(steps: Steps): void } & Disposable {
  const bar = progressBar();
  const say = lines();
  return {
    show({ done, of, label = "done", elapsed }) {
      const text = `${done}${of === undefined ? "" : `/${of}`} ${what}, ${label}`;
      if (!Deno.stderr.isTerminal()) return say(text, label.split(" ")[0]!);
      const part = of === undefined ? 0 : of === 0 ? 1 : done / of;
      bar.show(Math.max(elapsed, part), text);
    },
    [Symbol.dispose]: () => bar[Symbol.dispose](),
  };
}
