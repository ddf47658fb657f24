/**
 * Numbers that look random and are the same everywhere, for measurements whose peers must compute the same.
 * @module
 */

import { mulberry32 } from "../support/random.ts";

/** `size` numbers in [lo, hi). */
export function numbers(size: number, seed: number, lo = -1, hi = 1): Float32Array<ArrayBuffer> {
  const random = mulberry32(seed);
  return Float32Array.from({ length: size }, () => lo + (hi - lo) * random());
}
