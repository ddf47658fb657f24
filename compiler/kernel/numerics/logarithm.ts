/**
 * log, log2, log1p, without the built-in, whose error WGSL bounds only absolutely near 1 and which gives −88 for 0 on some
 * adapters.
 *
 * x = 2ᵉ·(1 + f) with √½ ≤ 1 + f < √2, read off the bits; log(1 + f) = f − f²/2 + f³·P(f) with a minimax P (error
 * 0.03 ULP). log1p takes f = x as it is where x lies in that interval, so it needs no correction term of the form
 * (1 + x) − 1, which a driver may fold. Subnormal numbers count as 0.
 */

import type { Value } from "../value.ts";
import type { Values } from "../values.ts";
import { highHalf, magnitudeBits } from "./bits.ts";
import { polynomial } from "./polynomial.ts";

const sqrtHalfBits = 0x3f3504f3;
const smallestNormalBits = 0x00800000;
const tail = [
  0.33333313,
  -0.25000167,
  0.20002222,
  -0.16659373,
  0.14209637,
  -0.1254924,
  0.12107814,
  -0.10918719,
  0.05342243,
];
const ln2High = 0.693359375;
const ln2Low = -2.12194440e-4;
/** log₂ e in a part of 5 bits and a rest. */
const log2eHigh = 1.4375;
const log2eLow = 0.0051950408889634;

/** e (f32) and f for a positive normal x. */
function split(k: Values, x: Value): { e: Value; f: Value } {
  const bits = k.bitcast("i32", x);
  const e = k.binary("shr", k.sub(bits, sqrtHalfBits), k.const(23, "u32"));
  const m = k.bitcast("f32", k.sub(bits, k.binary("shl", e, k.const(23, "u32"))));
  return { e: k.cast("f32", e), f: k.sub(m, 1) };
}

/** log(1 + f) − f. */
function rest(k: Values, f: Value): Value {
  const square = k.mul(f, f);
  return k.sub(k.mul(k.mul(square, f), polynomial(k, f, tail)), k.mul(square, 0.5));
}

const combine = (k: Values, e: Value, f: Value): Value =>
  k.add(k.mul(e, ln2High), k.add(f, k.add(k.mul(e, ln2Low), rest(k, f))));

/** `inside` for positive normal x; −∞ for 0, NaN for negative numbers and NaN, ∞ for ∞. */
function guard(k: Values, x: Value, inside: Value): Value {
  const bits = k.bitcast("u32", x);
  const regular = k.lt(k.sub(bits, k.const(smallestNormalBits, "u32")), k.const(0x7f000000, "u32"));
  const zero = k.lt(magnitudeBits(k, x), k.const(smallestNormalBits, "u32"));
  const beyond = k.select(k.lt(k.bitcast("i32", x), 0), NaN, x);
  return k.select(regular, inside, k.select(zero, k.const(-Infinity), beyond));
}

/** Natural logarithm, within 1 ULP. */
export function log(k: Values, x: Value): Value {
  const { e, f } = split(k, x);
  return guard(k, x, combine(k, e, f));
}

/** Natural logarithm of 2·x, so that x may be close to the largest number. Within 1 ULP for x ≥ 1. */
export function logOfTwice(k: Values, x: Value): Value {
  const { e, f } = split(k, x);
  return guard(k, x, combine(k, k.add(e, 1), f));
}

/** Binary logarithm, within 2.2 ULP; exact for powers of two. */
export function log2(k: Values, x: Value): Value {
  const { e, f } = split(k, x);
  const low = rest(k, f);
  // log₂ e · (f + low): the first product is split so that its leading part loses nothing.
  const scaled = k.add(k.mul(k.add(f, low), log2eLow), k.mul(low, log2eHigh));
  return guard(k, x, k.add(e, k.add(k.mul(f, log2eHigh), scaled)));
}

/** log(1 + x), within 2.6 ULP, also near 0. */
export function log1p(k: Values, x: Value): Value {
  const sum = k.add(x, 1);
  const far = split(k, sum);
  const near = k.and(k.lt(-0.29289, x), k.lt(x, 0.41421));
  const f = k.select(near, x, far.f);
  const e = k.select(near, 0, far.e);
  return guard(k, sum, combine(k, e, f));
}

/**
 * log₂ x of a positive normal x as `high + low`, right to 5e-9 · |log₂ x|: what a power multiplies by its exponent.
 *
 * `high` is a multiple of 2⁻¹²; e, f and the products with 5 bits of log₂ e are exact, so only the small rest is rounded.
 */
export function log2Split(k: Values, x: Value): { high: Value; low: Value } {
  const { e, f } = split(k, x);
  const curve = rest(k, f);
  const nearest = k.unary("round", k.mul(k.add(f, curve), 4096 * (log2eHigh + log2eLow)));
  const quantum = k.mul(nearest, 1 / 4096);
  const front = highHalf(k, f);
  const exact = k.add(k.sub(k.mul(front, log2eHigh), quantum), k.mul(k.sub(f, front), log2eHigh));
  const low = k.add(k.mul(f, log2eLow), k.add(k.mul(curve, log2eHigh + log2eLow), exact));
  return { high: k.add(e, quantum), low };
}
