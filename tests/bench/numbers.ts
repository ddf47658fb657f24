/**
 * Numbers that look random and are the same everywhere, for measurements whose peers must compute the same (mulberry32).
 * @module
 */

/** `size` numbers in [lo, hi). */
export function numbers(size: number, seed: number, lo = -1, hi = 1): Float32Array<ArrayBuffer> {
  let state = seed >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return lo + (hi - lo) * (((t ^ (t >>> 14)) >>> 0) / 2 ** 32);
  });
}
