/** asin, acos, atan, atan2: minimax polynomials in x² with coefficients rounded to f32. */

import type { Value } from "../value.ts";
import type { Values } from "../values.ts";
import { copySign, isInf, isNaNValue, keepNaN } from "./bits.ts";
import { polynomial } from "./polynomial.ts";

const pi = Math.PI;
/** (atan x − x) / x³ in x² on [0, 1]; error 0.31 ULP. */
const atanTail = [
  -0.33333153,
  0.19993767,
  -0.14211008,
  0.10665841,
  -0.07551946,
  0.043209493,
  -0.016366648,
  0.0029203116,
];
/** (asin x − x) / x³ in x² on [0, ¼]; error 0.09 ULP. */
const asinTail = [0.16666752, 0.074953064, 0.045469772, 0.024180774, 0.042166412];

const odd = (k: Values, x: Value, tail: readonly number[]): Value => {
  const square = k.mul(x, x);
  return k.add(x, k.mul(k.mul(x, square), polynomial(k, square, tail)));
};

/** atan x, within 3 ULP: atan a for a ≤ 1, π/2 − atan(1/a) above. */
export function atan(k: Values, x: Value): Value {
  const a = k.unary("abs", x);
  const over = k.lt(1, a);
  const inner = odd(k, k.select(over, k.div(1, a), a), atanTail);
  return keepNaN(k, x, copySign(k, k.select(over, k.sub(pi / 2, inner), inner), x));
}

/**
 * The angle of the point (x, y), within 4 ULP; atan2(±0, x < 0) = ±π, multiples of π/4 at infinities, 0 at the origin.
 */
export function atan2(k: Values, y: Value, x: Value): Value {
  const ax = k.unary("abs", x);
  const ay = k.unary("abs", y);
  const steep = k.lt(ax, ay);
  const large = k.select(steep, ay, ax);
  const small = k.select(steep, ax, ay);
  const quotient = k.select(k.eq(large, 0), 0, k.select(isInf(k, small), 1, k.div(small, large)));
  const inner = odd(k, quotient, atanTail);
  const first = k.select(steep, k.sub(pi / 2, inner), inner);
  const angle = k.select(k.lt(x, 0), k.sub(pi, first), first);
  return k.select(isNaNValue(k, x), x, k.select(isNaNValue(k, y), y, copySign(k, angle, y)));
}

/** asin a and acos a for a = |x|: below ½ the polynomial, above it that of √((1 − a) / 2), where asin is steep. */
function arc(k: Values, x: Value): { near: Value; inner: Value } {
  const a = k.unary("abs", x);
  const near = k.le(a, 0.5);
  return { near, inner: odd(k, k.select(near, a, k.unary("sqrt", k.mul(k.sub(1, a), 0.5))), asinTail) };
}

/** NaN outside [−1, 1]. */
const inDomain = (k: Values, x: Value, value: Value): Value =>
  keepNaN(k, x, k.select(k.le(k.unary("abs", x), 1), value, NaN));

/** asin x, within 3 ULP; NaN outside [−1, 1]. */
export function asin(k: Values, x: Value): Value {
  const { near, inner } = arc(k, x);
  return inDomain(k, x, copySign(k, k.select(near, inner, k.sub(pi / 2, k.mul(inner, 2))), x));
}

/** acos x, within 3 ULP; NaN outside [−1, 1]. */
export function acos(k: Values, x: Value): Value {
  const { near, inner } = arc(k, x);
  const twice = k.mul(inner, 2);
  const below = k.lt(x, 0);
  const steep = k.select(below, k.sub(pi, twice), twice);
  const flat = k.select(below, k.add(pi / 2, inner), k.sub(pi / 2, inner));
  return inDomain(k, x, k.select(near, flat, steep));
}
