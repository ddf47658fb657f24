import type { Value } from "../value.ts";
import type { Values } from "../values.ts";
import { highHalf, isFiniteValue, isInf, isNaNValue } from "./bits.ts";
import { exp2Unguarded } from "./exponential.ts";
import { log2, log2Split } from "./logarithm.ts";

/** xⁿ for an integer n by repeated squaring: an error of |n| / 2 ULP at most, and 1 more for a negative n. */
export function integerPower(k: Values, x: Value, n: number): Value {
  if (n < 0) return k.div(1, integerPower(k, x, -n));
  let result: Value | undefined;
  let square = x;
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = result ? k.mul(result, square) : square;
    if (rest > 1) square = k.mul(square, square);
  }
  return result ?? k.of(1, x);
}

/** Exponents up to here are products where they are constants. */
const longestProduct = 16;

/**
 * xʸ for x ≥ 0, within 8 ULP: 2^(y·log₂ x) with the logarithm in two parts and the product in exact and small ones,
 * because the exponential multiplies an error of its argument by up to 88.
 */
function positivePower(k: Values, x: Value, y: Value): Value {
  const { high, low } = log2Split(k, x);
  const highFront = highHalf(k, high);
  const yFront = highHalf(k, y);
  const exact = k.mul(yFront, highFront);
  const small = k.add(
    k.mul(yFront, k.sub(high, highFront)),
    k.add(k.mul(k.sub(y, yFront), high), k.mul(y, low)),
  );
  const inside = exp2Unguarded(k, exact, small);
  // Decides where the result leaves the range, and is NaN where x or y is.
  const rough = k.mul(y, log2(k, x));
  const bounded = k.select(k.lt(rough, -126), 0, k.select(k.le(128, rough), Infinity, inside));
  return k.select(isNaNValue(k, rough), rough, bounded);
}

/**
 * xʸ: products for small constant integers, the root for ½, else `positivePower` of |x| with the sign worked out.
 *
 * x⁰ = 1 and 1ʸ = 1 for all x and y, also NaN; a negative x has a power only for integral y. The built-in is undefined
 * for x ≤ 0. ±∞ as an exponent counts as an even integer, and (−∞)ʸ = ∞ʸ for y that is not integral.
 */
export function pow(k: Values, x: Value, y: Value): Value {
  if (y.kind === "const") {
    if (Number.isInteger(y.value) && Math.abs(y.value) <= longestProduct) return integerPower(k, x, y.value);
    if (y.value === 0.5) return k.unary("sqrt", k.select(isInf(k, x), Infinity, x));
  }
  const power = positivePower(k, k.unary("abs", x), y);
  const integral = k.eq(k.unary("trunc", y), y);
  const half = k.mul(y, 0.5);
  const odd = k.and(integral, k.binary("ne", k.unary("trunc", half), half));
  const signed = k.select(odd, k.unary("neg", power), power);
  const ofNegative = k.select(k.or(integral, k.not(isFiniteValue(k, x))), signed, NaN);
  const one = k.or(k.eq(y, 0), k.or(k.eq(x, 1), k.and(k.eq(x, -1), isInf(k, y))));
  return k.select(one, k.const(1), k.select(k.lt(x, 0), ofNegative, power));
}
