/**
 * How well a model puts things in order: Kendall's rank correlation, and what it costs to believe the model.
 * @module
 */

/** What a model expects of a thing, and what was measured; smaller is better in both. */
export interface Ranked {
  readonly predicted: number;
  readonly measured: number;
}

/** An order by a model beside the measured one. */
export interface RankAgreement {
  /**
   * Pairs in the right order less those in the wrong one, over all that were compared; undefined where there
   * are none.
   */
  readonly tau: number | undefined;
  readonly pairs: number;
}

/** Which pairs are compared. */
export interface PairChoice {
  /**
   * Pairs whose measured numbers are within this factor of each other: others are no question. Default: all.
   */
  readonly within?: number;
  /**
   * Pairs whose measured numbers are further apart than by this factor: nearer ones no clock tells apart.
   * Default 1.
   */
  readonly beyond?: number;
  /**
   * Pairs that the model tells apart by this factor at least. Default 1: all, and what it takes for equal
   * counts as 0.
   */
  readonly told?: number;
}

/**
 * Kendall's τ over the pairs that are chosen.
 *
 * @example
 * ```ts
 * import { kendall } from "./kendall.ts";
 *
 * const times = [[1, 1], [2, 3], [3, 2]].map(([predicted, measured]) => ({ predicted: predicted!, measured: measured! }));
 * console.log(kendall(times).tau); // 1/3: two pairs in order, one not
 * ```
 */
export function kendall(
  points: readonly Ranked[],
  { within = Infinity, beyond = 1, told = 1 }: PairChoice = {},
): RankAgreement {
  let [agree, pairs] = [0, 0];
  points.forEach((a, i) => {
    for (const b of points.slice(i + 1)) {
      const [less, more] = a.measured < b.measured ? [a.measured, b.measured] : [b.measured, a.measured];
      if (more > within * less || (beyond > 1 && more < beyond * less)) continue;
      if (Math.max(a.predicted, b.predicted) < told * Math.min(a.predicted, b.predicted)) continue;
      pairs++;
      agree += Math.sign(b.predicted - a.predicted) * Math.sign(b.measured - a.measured);
    }
  });
  return { tau: pairs === 0 ? undefined : agree / pairs, pairs };
}

/** The agreement over the pairs of several lists, where pairs across lists are no question. */
export function pooled(agreements: readonly RankAgreement[]): RankAgreement {
  const pairs = agreements.reduce((sum, one) => sum + one.pairs, 0);
  const agree = agreements.reduce((sum, { tau = 0, pairs }) => sum + tau * pairs, 0);
  return { tau: pairs === 0 ? undefined : agree / pairs, pairs };
}

/** How many times as long as the fastest the one takes that the model likes best. */
export function regretOf(points: readonly Ranked[]): number {
  const favorite = points.reduce((a, b) => b.predicted < a.predicted ? b : a);
  return favorite.measured / Math.min(...points.map(({ measured }) => measured));
}
