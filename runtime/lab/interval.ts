/**
 * What a few measurements say of a median, without assuming how they are distributed.
 * @module
 */

/** A median and an interval that holds the true one. */
export interface Interval {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** How often such an interval holds the true median: 0.95 at least, or less where there are fewer than six numbers. */
  readonly coverage: number;
}

/** The coverage that is asked for. */
const wanted = 0.95;

/**
 * Order statistics: each number lies below the true median as often as above it, so how many of n lie below follows the
 * binomial distribution, whatever theirs is. The interval is the narrowest between two of the sorted numbers, as far
 * from the one end as from the other, that holds the median in 95 % of cases; of five numbers or fewer all of them
 * together hold it less often, and `coverage` says how often.
 *
 * @example
 * ```ts
 * import { intervalOf } from "./interval.ts";
 *
 * console.log(intervalOf([1.02, 0.99, 1.01, 1.05, 1.0, 0.98])); // 0.98 … 1.05, coverage 0.97
 * ```
 */
export function intervalOf(numbers: readonly number[]): Interval {
  const sorted = [...numbers].sort((a, b) => a - b);
  const n = sorted.length;
  const middle = n >> 1;
  const median = n % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  // P(fewer than k + 1 of n lie below): what is lost at each end by leaving out k numbers there.
  let term = 0.5 ** n;
  let lost = term;
  let cut = 0;
  for (let k = 1; k <= middle; k++) {
    term *= (n - k + 1) / k;
    if (1 - 2 * (lost + term) < wanted || 2 * k >= n) break;
    lost += term;
    cut = k;
  }
  return { median, low: sorted[cut]!, high: sorted[n - 1 - cut]!, coverage: Math.max(0, 1 - 2 * lost) };
}
