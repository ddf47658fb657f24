/** Hyperbolic functions and their inverses, all from the exponential's and logarithm's reductions. */

import type { Value } from "../value.ts";
import type { Values } from "../values.ts";
import { copySign, keepNaN } from "./bits.ts";
import { expm1Unguarded, expScaled } from "./exponential.ts";
import { log1p, logOfTwice } from "./logarithm.ts";
import { polynomial } from "./polynomial.ts";

const abs = (k: Values, x: Value): Value => k.unary("abs", x);

/**
 * tanh x = t / (t + 2) with t = e^(2|x|) − 1, within 3 ULP, also near 0; ±1 beyond 9.1, where that is the nearest f32. The
 * built-in is NaN for large x on one adapter and 7 % off near 1e-6 on another.
 */
export function tanh(k: Values, x: Value): Value {
  const a = abs(k, x);
  const t = expm1Unguarded(k, k.mul(a, 2));
  const inside = k.select(k.lt(9.1, a), 1, k.div(t, k.add(t, 2)));
  return keepNaN(k, x, copySign(k, inside, x));
}

/** (sinh x − x) / x³ in x² on [0, 1], minimax. */
const sinhTail = [0.16666667, 0.0083333105, 0.00019842896, 2.7822132e-6];

/** sinh x, within 3 ULP: a polynomial below 1, e − 1/(4·e) with e = e^|x|/2 above. */
export function sinh(k: Values, x: Value): Value {
  const a = abs(k, x);
  const square = k.mul(x, x);
  const small = k.add(x, k.mul(k.mul(x, square), polynomial(k, square, sinhTail)));
  const e = expScaled(k, a, -1);
  const large = copySign(k, k.sub(e, k.div(0.25, e)), x);
  return keepNaN(k, x, k.select(k.lt(a, 1), small, large));
}

/** cosh x, within 3 ULP. */
export function cosh(k: Values, x: Value): Value {
  const e = expScaled(k, abs(k, x), -1);
  return k.add(e, k.div(0.25, e));
}

/** asinh x = log1p(a + a² / (1 + √(a² + 1))) for a = |x|, log 2a beyond 4096; within 4 ULP. */
export function asinh(k: Values, x: Value): Value {
  const a = abs(k, x);
  const square = k.mul(a, a);
  const root = k.unary("sqrt", k.add(square, 1));
  const small = log1p(k, k.add(a, k.div(square, k.add(root, 1))));
  return copySign(k, k.select(k.lt(4096, a), logOfTwice(k, a), small), x);
}

/** acosh x = log1p(t + √(2t + t²)) with t = x − 1, log 2x beyond 4096; within 4 ULP; NaN below 1. */
export function acosh(k: Values, x: Value): Value {
  const t = k.sub(x, 1);
  const root = k.unary("sqrt", k.add(k.mul(t, 2), k.mul(t, t)));
  const inside = k.select(k.lt(4096, x), logOfTwice(k, x), log1p(k, k.add(t, root)));
  return keepNaN(k, x, k.select(k.lt(x, 1), NaN, inside));
}

/** atanh x = ½ · log1p(2a / (1 − a)) for a = |x|, within 4 ULP; ±∞ at ±1, NaN beyond. */
export function atanh(k: Values, x: Value): Value {
  const a = abs(k, x);
  const inside = k.mul(log1p(k, k.div(k.mul(a, 2), k.sub(1, a))), 0.5);
  const bounded = k.select(k.lt(a, 1), inside, k.select(k.lt(1, a), NaN, k.const(Infinity)));
  return keepNaN(k, x, copySign(k, bounded, x));
}
