/**
 * Random numbers on the host, the same on every machine: for first contents of parameters.
 *
 * The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011).
 * The logarithm and the cosine are our own, in plain f64 arithmetic: Math.log and Math.cos may differ by engine.
 */

/** The high 32 bits of a product of two words, from products of halves, which f64 holds exactly. */
function highWord(a: number, b: number): number {
  const [ah, al, bh, bl] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const [low, mid1, mid2] = [al * bl, al * bh, ah * bl];
  const carry = (low >>> 16) + (mid1 & 0xffff) + (mid2 & 0xffff);
  return (ah * bh + (mid1 >>> 16) + (mid2 >>> 16) + (carry >>> 16)) >>> 0;
}

/** Four random words from a counter of four words and a key of two. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): number[] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [hi0, lo0] = [highWord(0xd2511f53, c0), Math.imul(0xd2511f53, c0) >>> 0];
    const [hi1, lo1] = [highWord(0xcd9e8d57, c2), Math.imul(0xcd9e8d57, c2) >>> 0];
    [c0, c1, c2, c3] = [(hi1 ^ c1 ^ k0) >>> 0, lo1, (hi0 ^ c3 ^ k1) >>> 0, lo0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** A 32-bit hash of a text and a salt (FNV-1a, then the finalizer of MurmurHash3). */
export function hashText(text: string, salt: number): number {
  let h = 0x811c9dc5 ^ salt;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** `count` words that depend on seed and path alone. */
export function randomWords(count: number, seed: number, path: string): Uint32Array {
  const out = new Uint32Array(count);
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  const [a, b] = [hashText(path, 0), hashText(path, 1)];
  for (let i = 0; i < count; i += 4) {
    const words = philox([i / 4, a, b, high], [seed >>> 0, 0x57656674]);
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
