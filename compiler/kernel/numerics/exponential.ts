/**
 * exp, exp2, expm1 and what is built like them (tanh, sinh, cosh are in hyperbolic.ts).
 *
 * One reduction serves all: x = n·ln 2 + r with |r| ≤ ln 2 / 2, where ln 2 is split in two (Cody and Waite) so that n·C₁ is
 * exact, and eʳ − 1 = r + r²·P(r). P is a minimax fit with coefficients rounded to f32 one after another; its error is
 * below 0.35 ULP of eʳ − 1. The driver may fuse or not fuse multiply and add; nothing here relies on (a + b) − b.
 */

import type { Value } from "../value.ts";
import type { Values } from "../values.ts";
import { keepNaN } from "./bits.ts";
import { polynomial } from "./polynomial.ts";

const log2e = 1.4426950408889634;
const ln2 = 0.6931471805599453;
/** ln 2 in a part of 9 bits and a rest. */
const ln2High = 0.693359375;
const ln2Low = -2.12194440e-4;
const tail = [0.5, 0.16666536, 0.04166609, 0.008367611, 0.0013980985];

/** Above this exp is ∞ in f32, below the other it is less than every normal number. */
const overflow = 88.72283935546875;
const underflow = -87.33654022216797;

/** n as an integer and r. `low` is a small correction to x that x itself has no bits for. */
function reduce(k: Values, x: Value, low?: Value): { n: Value; r: Value } {
  const n = k.unary("round", k.mul(x, log2e));
  const r = k.sub(k.sub(x, k.mul(n, ln2High)), k.mul(n, ln2Low));
  return { n: k.cast("i32", n), r: low ? k.add(r, low) : r };
}

/** eʳ − 1 for |r| ≤ 0.45. */
const expm1Small = (k: Values, r: Value): Value => k.add(r, k.mul(k.mul(r, r), polynomial(k, r, tail)));

/** p · 2ⁿ by adding n to the exponent; right where p and the result are normal. */
const scaleByPower = (k: Values, p: Value, n: Value): Value =>
  k.bitcast("f32", k.add(k.bitcast("i32", p), k.binary("shl", n, k.const(23, "u32"))));

/** 2ⁿ for −126 ≤ n ≤ 127. */
const powerOfTwo = (k: Values, n: Value): Value =>
  k.bitcast("f32", k.binary("shl", k.add(n, 127), k.const(23, "u32")));

/**
 * e^(x + low) · 2^shift where the result is a normal number; anything elsewhere.
 *
 * @param low A correction, |low| ≤ 0.09.
 */
export function expUnguarded(k: Values, x: Value, low?: Value, shift = 0): Value {
  const { n, r } = reduce(k, x, low);
  return scaleByPower(k, k.add(expm1Small(k, r), 1), shift === 0 ? n : k.add(n, shift));
}

/** eˣ · 2^shift: ∞ above the range, 0 below it (also where the result would be subnormal), NaN for NaN. */
export function expScaled(k: Values, x: Value, shift: number): Value {
  const inside = expUnguarded(k, x, undefined, shift);
  const low = k.select(k.lt(x, underflow - shift * ln2), 0, inside);
  return keepNaN(k, x, k.select(k.lt(overflow - shift * ln2, x), Infinity, low));
}

/**
 * eˣ, within 1.2 ULP; by the target's own function, where it was seen to keep NaN, within 3 + |x| ULP. That is a third of
 * the work, and where a row or an activation is computed nearly all of it.
 */
export const exp = (k: Values, x: Value): Value => k.builtins.exp ? k.unary("exp", x) : expScaled(k, x, 0);

/** 2^(high + low) where the result is a normal number, for a high of few bits and |low| ≤ 0.1; anything elsewhere. */
export function exp2Unguarded(k: Values, high: Value, low: Value): Value {
  const n = k.unary("round", k.add(high, low));
  const r = k.mul(k.add(k.sub(high, n), low), ln2);
  return scaleByPower(k, k.add(expm1Small(k, r), 1), k.cast("i32", n));
}

/** 2ˣ, within 1.2 ULP; exact where x is integral. */
export function exp2(k: Values, x: Value): Value {
  const n = k.unary("round", x);
  const r = k.mul(k.sub(x, n), ln2);
  const inside = scaleByPower(k, k.add(expm1Small(k, r), 1), k.cast("i32", n));
  const low = k.select(k.lt(x, -126), 0, inside);
  return keepNaN(k, x, k.select(k.le(128, x), Infinity, low));
}

/** eˣ − 1 for −18 ≤ x ≤ 88.7, within 2 ULP, also near 0. NaN gives anything. */
export function expm1Unguarded(k: Values, x: Value): Value {
  const { n, r } = reduce(k, x);
  // 2ⁿ·(eʳ − 1) + (2ⁿ − 1) in halves, because 2¹²⁸ is needed and is no f32. For n = 0 the second part is exactly 0.
  const half = powerOfTwo(k, k.sub(n, 1));
  const sum = k.add(k.mul(expm1Small(k, r), half), k.sub(half, 0.5));
  return k.mul(sum, 2);
}

/** eˣ − 1, within 2 ULP everywhere. */
export function expm1(k: Values, x: Value): Value {
  const low = k.select(k.lt(x, -18), -1, expm1Unguarded(k, x));
  return keepNaN(k, x, k.select(k.lt(overflow, x), Infinity, low));
}
