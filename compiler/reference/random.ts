/** A random number in [0, 1). */
export type Random = () => number;

/** The same sequence for the same seed, and one far from those of its neighbors. */
export const randomOf = (seed: number): Random => mulberry32(Math.imul(seed, 0x9e3779b9));

/** Mulberry32 (Tommy Ettinger, public domain) from a state of 32 bits. */
export function mulberry32(first: number): Random {
  let state = first >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
