/**
 * Philox4x32-10 on plain numbers: the reference of `randomBits`, written apart from the values in
 * `compiler/kernel/philox.ts` (Salmon, Moraes, Dror, Shaw, SC 2011).
 */

/** One block of four words, from four counter words and two key words. */
export function philox4x32(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter as [number, number, number, number];
  let [k0, k1] = key as [number, number];
  for (let round = 0; round < 10; round++) {
    const h0 = highProduct(c0, 0xd2511f53);
    const l0 = Math.imul(c0, 0xd2511f53) >>> 0;
    const h1 = highProduct(c2, 0xcd9e8d57);
    const l1 = Math.imul(c2, 0xcd9e8d57) >>> 0;
    [c0, c1, c2, c3] = [(h1 ^ c1 ^ k0) >>> 0, l1, (h0 ^ c3 ^ k1) >>> 0, l0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Upper 32 bits of the product of two words; every intermediate is below 2⁵³ and therefore exact. */
function highProduct(a: number, b: number): number {
  const byLow = Math.floor((a * (b % 65536)) / 65536);
  return Math.floor((a * Math.floor(b / 65536) + byLow) / 65536);
}
