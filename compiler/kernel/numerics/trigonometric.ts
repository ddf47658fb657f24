/**
 * sin, cos, tan.
 *
 * x = n·π/2 + r with π/2 in four parts (Cody and Waite). For |n| ≤ 2¹³ the products of n with the first three are exact
 * and so are their subtractions when they cancel, so r is right to 1 ULP, also next to a multiple of π: for
 * |x| ≤ 12,867. Beyond that the error grows with x (absolute 1e-6 at 1e5, none of the digits from 1e7 on); results
 * stay within [−1, 1], and ±∞ and NaN give NaN. sin r and cos r are minimax polynomials on |r| ≤ π/4 (errors below
 * 0.07 ULP).
 */

import type { Value } from "../value.ts";
import type { Values } from "../values.ts";
import { isFiniteValue } from "./bits.ts";
import { polynomial } from "./polynomial.ts";

const twoOverPi = 0.6366197723675814;
/** 8, 11 and 11 bits of π/2, and the next 24. */
const halfPi = [1.5703125, 0.0004837512969970703, 7.549533620476723e-8, 2.5633440682570896e-12];
const sinTail = [-0.16666655, 0.008332188, -0.00019518095];
const cosTail = [0.041666646, -0.001388731, 2.4432327e-5];

interface Reduced {
  /** n as an integer; only its last two bits matter. */
  readonly n: Value;
  readonly sin: Value;
  readonly cos: Value;
}

function reduce(k: Values, x: Value): Reduced {
  const n = k.unary("round", k.mul(x, twoOverPi));
  const rest = halfPi.reduce<Value>((r, part) => k.sub(r, k.mul(n, part)), x);
  // Where the reduction has failed for lack of digits, the polynomials must not run away.
  const r = k.binary("max", k.binary("min", rest, 0.8), -0.8);
  const s = k.mul(r, r);
  return {
    n: k.bitcast("u32", k.cast("i32", n)),
    sin: k.add(r, k.mul(k.mul(r, s), polynomial(k, s, sinTail))),
    cos: k.add(k.sub(1, k.mul(s, 0.5)), k.mul(k.mul(s, s), polynomial(k, s, cosTail))),
  };
}

const bit = (k: Values, n: Value, mask: number): Value => k.binary("ne", k.and(n, k.const(mask, "u32")), 0);

const orNaN = (k: Values, x: Value, value: Value): Value => k.select(isFiniteValue(k, x), value, NaN);

/** sin(x + quarters · π/2). */
function turned(k: Values, x: Value, quarters: number): Value {
  const { n, sin, cos } = reduce(k, x);
  const turn = k.add(n, k.const(quarters, "u32"));
  const value = k.select(bit(k, turn, 1), cos, sin);
  return orNaN(k, x, k.select(bit(k, turn, 2), k.unary("neg", value), value));
}

/** sin x, within 2.5 ULP for |x| ≤ 12,867. */
export const sin = (k: Values, x: Value): Value => turned(k, x, 0);

/** cos x, within 2.5 ULP for |x| ≤ 12,867. */
export const cos = (k: Values, x: Value): Value => turned(k, x, 1);

/** tan x = sin r / cos r or −cos r / sin r, within 4 ULP for |x| ≤ 12,867. */
export function tan(k: Values, x: Value): Value {
  const { n, sin, cos } = reduce(k, x);
  const odd = bit(k, n, 1);
  return orNaN(k, x, k.div(k.select(odd, k.unary("neg", cos), sin), k.select(odd, sin, cos)));
}
