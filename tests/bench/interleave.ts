/**
 * Times contestants alternately, each so often per round that waiting for the end is under 2 % of what is timed.
 *
 * `runtime/lab/measure.ts` times plans that Weft compiled, as many as memory and time allow, and gives ratios with their
 * intervals. Here are kernels by hand as well, other clocks, other libraries between two rounds, and nobody is left out.
 * @module
 */

/** Deno waits 11 ms for the end of what was submitted. */
const waiting = 11;
const share = 0.02;

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!;

export interface Timed {
  /** Milliseconds per run of so many runs back to back, the wait for their end included. */
  time(runs: number): Promise<number>;
}

/** Milliseconds per run, the median of the rounds; the number of runs per round is each one's own. */
export async function interleave(
  contestants: readonly Timed[],
  rounds: number,
  between: () => Promise<void> = () => Promise.resolve(),
): Promise<number[]> {
  const runs: number[] = [];
  for (const c of contestants) runs.push(await runsPerWait((runs) => c.time(runs)));
  const times: number[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, c] of contestants.entries()) times[i]!.push(await c.time(runs[i]!));
    await between();
  }
  return times.map(median);
}

/** How many runs back to back make waiting for their end less than its share. `time` gives milliseconds per run. */
export async function runsPerWait(time: (runs: number) => Promise<number>): Promise<number> {
  return Math.max(3, Math.ceil(waiting / share / await estimate(time)));
}

/** Milliseconds per run, roughly, from a few that take several times as long as waiting for them. */
async function estimate(time: (runs: number) => Promise<number>): Promise<number> {
  for (let runs = 2;; runs *= 4) {
    const once = await time(runs);
    if (once * runs > 5 * waiting) return once - waiting / runs;
  }
}
