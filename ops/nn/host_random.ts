/**
 * Random numbers on the host, the same on every machine: for first contents of parameters.
 *
 * The logarithm and the cosine are our own, in plain f64 arithmetic: Math.log and Math.cos may differ by engine.
 */

import { philox4x32 } from "../random/philox.ts";
import { hash } from "../random/stream.ts";

/** `count` words that depend on seed and path alone. */
export function randomWords(count: number, seed: number, path: string): Uint32Array {
  const out = new Uint32Array(count);
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  // Two hashes, so that no two paths of a model share their numbers.
  const [a, b] = [hash(path), hash(`${path}#`)];
  for (let i = 0; i < count; i += 4) {
    const words = philox4x32([i / 4, a, b, high], [seed >>> 0, 0]);
    for (let j = 0; j < 4 && i + j < count; j++) out[i + j] = words[j]!;
  }
  return out;
}

/** A word as a number in [0, 1): its top 24 bits, so that f32 holds it. */
export const unit = (word: number): number => (word >>> 8) * 2 ** -24;

const ln2 = 0.6931471805599453;

/** ln x for x > 0 and normal: x = m·2^e with m near 1, and 2·atanh((m − 1)/(m + 1)) by its series. */
export function log(x: number): number {
  let exponent = 0;
  while (x >= Math.SQRT2) {
    x /= 2;
    exponent++;
  }
  while (x < Math.SQRT1_2) {
    x *= 2;
    exponent--;
  }
  const s = (x - 1) / (x + 1);
  const s2 = s * s;
  let sum = 0;
  for (let n = 23; n >= 1; n -= 2) sum = sum * s2 + 1 / n; // |s| < 0.172, so s^24/25 < 2e-20
  return 2 * s * sum + exponent * ln2;
}

/** cos 2πu and sin 2πu for u in [0, 1): the quadrant is exact, the rest are Taylor series on ±π/4. */
export function turn(u: number): [number, number] {
  const quadrant = Math.round(u * 4);
  const x = (u - quadrant / 4) * 2 * Math.PI;
  const x2 = x * x;
  let cos = 1;
  let sin = 1;
  for (let n = 18; n >= 2; n -= 2) { // Horner: 1 − x²/2 (1 − x²/12 (1 − …))
    cos = 1 - cos * x2 / (n * (n - 1));
    sin = 1 - sin * x2 / (n * (n + 1));
  }
  sin *= x;
  switch (quadrant % 4) {
    case 0:
      return [cos, sin];
    case 1:
      return [-sin, cos];
    case 2:
      return [-cos, -sin];
    default:
      return [sin, -cos];
  }
}
