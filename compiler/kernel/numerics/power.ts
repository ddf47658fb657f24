import type { Value, Values } from "../value.ts";
import { isFiniteValue, isInf, isNaNValue } from "./bits.ts";
import { exp2 } from "./exponential.ts";
import { log2 } from "./logarithm.ts";

/** xⁿ for an integer n by repeated squaring: about log₂ n rounding errors of half an ULP each, more for large n. */
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
const longestProduct = 64;

/**
 * xʸ: products for constant integers, roots for ±½, else 2^(y·log₂|x|) with the sign worked out.
 *
 * x⁰ = 1 and 1ʸ = 1 for all x and y, also NaN; a negative x has a power only for integral y; the built-in is undefined for
 * x ≤ 0. The error is that of the product, or 2 + 2·|y·log₂ x| ULP.
 */
export function pow(k: Values, x: Value, y: Value): Value {
  if (y.kind === "const") {
    if (Number.isInteger(y.value) && Math.abs(y.value) <= longestProduct) return integerPower(k, x, y.value);
    if (y.value === 0.5) return k.unary("sqrt", k.select(isInf(k, x), Infinity, x));
  }
  const size = k.unary("abs", x);
  const power = exp2(k, k.mul(y, log2(k, size)));
  const half = k.mul(y, 0.5);
  const integral = k.eq(k.unary("trunc", y), y);
  const odd = k.and(integral, k.binary("ne", k.unary("trunc", half), half));
  const signed = k.select(odd, k.unary("neg", power), power);
  // ±∞ counts as an even integer; a root of −∞ is one of ∞.
  const rooted = k.select(k.or(integral, k.not(isFiniteValue(k, x))), signed, NaN);
  const value = k.select(k.lt(x, 0), rooted, power);
  const one = k.or(k.eq(y, 0), k.or(k.eq(x, 1), k.and(k.eq(x, -1), isInf(k, y))));
  const nan = k.select(isNaNValue(k, x), x, k.select(isNaNValue(k, y), y, value));
  return k.select(one, k.const(1), nan);
}
