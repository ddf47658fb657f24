/**
 * Which of several contenders is the fastest, when every measurement is a little off and machines drift: all are measured
 * in turns, the slow ones leave early, and one beats another only by more than the noise between them.
 * @module
 */

/** Times of the contenders asked for, each in `rounds` rounds: `[contender][round]`, in milliseconds. */
export type Measure = (
  contenders: readonly number[],
  rounds: number,
) => Promise<readonly (readonly number[])[]>;

/** How many times as slow as the fastest a contender may be and stay, by stage, and what a stage may take. */
const STAGES = [
  { slack: 3, rounds: 1, milliseconds: 0 },
  { slack: 1.5, rounds: 3, milliseconds: 50 },
  { slack: 1.2, rounds: 5, milliseconds: 100 },
  { slack: 1, rounds: 9, milliseconds: 200 },
] as const;
const MOST_ROUNDS = 50;

/** Less than this is not worth another kernel. */
const WORTHWHILE = 0.03;

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** Rounds that take about so long, `least` at least. */
export const roundsFor = (milliseconds: number, perRound: number, least: number): number =>
  perRound > 0 ? Math.max(least, Math.min(MOST_ROUNDS, Math.floor(milliseconds / perRound))) : least;

/** The median time of each contender over the winner's, as far as it was measured; the winner's is 1. */
export async function race(count: number, measure: Measure): Promise<readonly number[]> {
  let alive = Array.from({ length: count }, (_, i) => ({ contender: i, ms: 0 }));
  const ratios = Array.from({ length: count }, () => 1);
  for (const { slack, rounds, milliseconds } of STAGES) {
    if (alive.length === 1) break;
    const perRound = alive.reduce((sum, { ms }) => sum + ms, 0);
    const times = await measure(
      alive.map(({ contender }) => contender),
      roundsFor(milliseconds, perRound, rounds),
    );
    const measured = alive.map(({ contender }, i) => ({ contender, ms: median(times[i]!) }));
    const best = Math.min(...measured.map(({ ms }) => ms));
    for (const { contender, ms } of measured) ratios[contender] = ms / Math.max(best, 1e-9);
    alive = measured.filter(({ ms }) => ms <= best * slack);
  }
  return ratios;
}

export interface Verdict {
  readonly faster: boolean;
  /** Median time of the other over that of the base. */
  readonly ratio: number;
  /** Twice the standard error of the ratio. */
  readonly noise: number;
}

/** Whether `other` takes less time than `base`, measured in the same rounds, by more than the noise. */
export function compareTimes(base: readonly number[], other: readonly number[]): Verdict {
  const ratios = base.map((ms, round) => other[round]! / Math.max(ms, 1e-6));
  const ratio = median(ratios);
  // The deviation of a normal distribution from its median absolute one.
  const deviation = 1.4826 * median(ratios.map((r) => Math.abs(r - ratio)));
  const noise = 2 * deviation / Math.sqrt(ratios.length);
  return { faster: ratio + noise < 1 - WORTHWHILE, ratio, noise };
}
