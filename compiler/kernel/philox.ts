/**
 * Philox4x32-10 as values: a counter-based random number generator.
 *
 * J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Each block of four
 * words is a function of a counter and a key alone, so an element's number does not depend on who computes it when.
 *
 * A round multiplies two of the words by constants and mixes the halves of the 64-bit products. WGSL has no 64-bit
 * integers, so the high halves are put together from 16-bit products, none of which overflows.
 */

import type { Value } from "./value.ts";
import type { Values } from "./values.ts";

export type Words4 = readonly [Value, Value, Value, Value];

const multipliers = [0xd2511f53, 0xcd9e8d57] as const;
/** What is added to the key each round: the golden ratio and √3 − 1, as fractions of 2³². */
const weyl = [0x9e3779b9, 0xbb67ae85] as const;
const rounds = 10;

/** The four words of a block. All values are u32. */
export function philox(k: Values, counter: Words4, key: readonly [Value, Value]): Words4 {
  let [a, b, c, d] = counter;
  for (let round = 0; round < rounds; round++) {
    const first = multiplyWide(k, a, multipliers[0]);
    const second = multiplyWide(k, c, multipliers[1]);
    [a, b, c, d] = [
      xor(k, xor(k, second.high, b), roundKey(k, key[0], weyl[0], round)),
      second.low,
      xor(k, xor(k, first.high, d), roundKey(k, key[1], weyl[1], round)),
      first.low,
    ];
  }
  return [a, b, c, d];
}

const word = (k: Values, x: number): Value => k.const(x, "u32");

/** The key of a round: the step is a multiple known here, so rounds do not wait for each other's keys. */
function roundKey(k: Values, key: Value, step: number, round: number): Value {
  const added = Math.imul(step, round) >>> 0;
  if (key.kind === "const") return word(k, key.value + added);
  return added === 0 ? key : k.add(key, word(k, added));
}

const xor = (k: Values, a: Value, b: Value): Value => {
  if (a.kind === "const" && a.value === 0) return b;
  if (b.kind === "const" && b.value === 0) return a;
  return k.binary("xor", a, b);
};

/** Both halves of the 64-bit product of a word and a constant. */
function multiplyWide(k: Values, a: Value, m: number): { high: Value; low: Value } {
  const lowHalf = (x: Value) => k.binary("and", x, word(k, 0xffff));
  const highHalf = (x: Value) => k.binary("shr", x, word(k, 16));
  const a0 = lowHalf(a);
  const a1 = highHalf(a);
  const m0 = word(k, m & 0xffff);
  const m1 = word(k, m >>> 16);
  // (2¹⁶ − 1)² + 2¹⁶ − 1 < 2³²: neither sum overflows.
  const middle = k.add(k.mul(a1, m0), highHalf(k.mul(a0, m0)));
  const rest = k.add(k.mul(a0, m1), lowHalf(middle));
  const high = k.add(k.mul(a1, m1), k.add(highHalf(middle), highHalf(rest)));
  return { high, low: k.mul(a, word(k, m)) };
}
