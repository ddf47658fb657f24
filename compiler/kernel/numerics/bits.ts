/**
 * What is read off the bits of an f32, and the maximum and minimum that keep NaN.
 *
 * NaN is tested by bits because drivers fold `x != x` to false; so do comparisons that a driver may turn around, such as
 * `select(x > 0, x, 0)`, which becomes a bare `max` and loses NaN.
 */

import type { Operand, Value } from "../value.ts";
import type { Values } from "../values.ts";

const magnitudeMask = 0x7fffffff;
const signMask = 0x80000000;
const infinityBits = 0x7f800000;

/** The bits without the sign: the larger, the larger |x|; ∞ above all numbers, NaN above ∞. */
export const magnitudeBits = (k: Values, x: Value): Value =>
  k.and(k.bitcast("u32", x), k.const(magnitudeMask, "u32"));

const word = (k: Values, bits: number): Value => k.const(bits, "u32");

/** x is NaN. */
export function isNaNValue(k: Values, x: Value): Value {
  if (x.kind === "const") return k.const(Number.isNaN(x.value), "bool");
  return k.lt(word(k, infinityBits), magnitudeBits(k, x));
}

/** x is +∞ or −∞. */
export function isInf(k: Values, x: Value): Value {
  if (x.kind === "const") return k.const(Math.abs(x.value) === Infinity, "bool");
  return k.eq(magnitudeBits(k, x), word(k, infinityBits));
}

/** x is neither infinite nor NaN. */
export function isFiniteValue(k: Values, x: Value): Value {
  if (x.kind === "const") return k.const(Number.isFinite(x.value), "bool");
  return k.lt(magnitudeBits(k, x), word(k, infinityBits));
}

/** `value` where x is a number, x itself (NaN) where it is not. */
export const keepNaN = (k: Values, x: Value, value: Value): Value => k.select(isNaNValue(k, x), x, value);

/** |a| with the sign of b, −0 and NaN included. */
export function copySign(k: Values, a: Value, b: Value): Value {
  const sign = k.and(k.bitcast("u32", b), word(k, signMask));
  return k.bitcast("f32", k.or(magnitudeBits(k, a), sign));
}

/** x with all but the first 12 bits of its mantissa cleared: the square of that is exact. */
export const highHalf = (k: Values, x: Value): Value =>
  k.bitcast("f32", k.and(k.bitcast("u32", x), word(k, 0xfffff000)));

const floatOf = (k: Values, x: Operand, other: Operand): Value =>
  typeof x === "number" ? k.of(x, other as Value) : x;

/** The larger of both, NaN if either is. On other types than f32, the larger. */
export function maxPropagating(k: Values, left: Operand, right: Operand): Value {
  return extreme(k, "max", floatOf(k, left, right), floatOf(k, right, left));
}

/** The smaller of both, NaN if either is. On other types than f32, the smaller. */
export function minPropagating(k: Values, left: Operand, right: Operand): Value {
  return extreme(k, "min", floatOf(k, left, right), floatOf(k, right, left));
}

function extreme(k: Values, op: "max" | "min", a: Value, b: Value): Value {
  if (a.type === "bool") return op === "max" ? k.or(a, b) : k.and(a, b);
  const bare = k.binary(op, a, b);
  if (a.type !== "f32") return bare;
  return k.select(isNaNValue(k, a), a, k.select(isNaNValue(k, b), b, bare));
}
