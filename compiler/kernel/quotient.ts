/** What is known of a truncated quotient q = x / k, as forms that are ≤ 0 (affine.ts). */

import { type Affine, combine, plus, scale } from "./affine.ts";
import type { Interval } from "./interval.ts";

/** Relations between q and what is divided, which lies between `lo` and `hi`: together they say that q is the quotient. */
export function quotientFacts(q: Affine, x: Affine, k: number, { lo, hi }: Interval): Affine[] {
  const below = combine(k, q, -1, x);
  // k·q ≤ x where x ≥ 0, and x ≤ k·q + k − 1 always; truncation is symmetric.
  return [lo >= 0 ? below : plus(below, 1 - k), plus(scale(below, -1), hi <= 0 ? 0 : 1 - k)];
}

/**
 * q = x / k in bounds of x. Where a quotient is a sum of which only a part is still divided, fractions would lose this:
 * 4g + l ≤ 5 says 2g + l / 2 ≤ 2, and not 2½.
 */
export function quotientCuts(q: Affine, k: number, { lo, hi }: Interval): Affine[] {
  return [plus(q, -Math.trunc(hi / k)), plus(scale(q, -1), Math.trunc(lo / k))];
}

export interface Quotient {
  readonly of: Affine;
  readonly divisor: number;
}

/** A quotient of a quotient is a quotient, which ties it to what is divided where those between have canceled. */
export function rootOf(quotient: Quotient, find: (atom: string) => Quotient | undefined): Quotient {
  const { terms, constant } = quotient.of;
  const [only] = terms;
  const inner = terms.size === 1 && constant === 0 && only![1] === 1 ? find(only![0]) : undefined;
  return inner ? rootOf({ of: inner.of, divisor: inner.divisor * quotient.divisor }, find) : quotient;
}
