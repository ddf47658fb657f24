/** Division that floors, remainders, rounding and conversion, for values of any type. */

import { InternalError } from "../../errors.ts";
import type { Value, ValueType } from "../value.ts";
import type { Values } from "../values.ts";
import { highHalf, isInf, isNaNValue, keepNaN } from "./bits.ts";

/**
 * Integers: truncating quotient, corrected by one where the remainder and b differ in sign. x / 0 = x.
 * Floats: floor(a / b).
 */
export function floorDiv(k: Values, a: Value, b: Value): Value {
  if (a.type === "f32") return k.unary("floor", k.div(a, b));
  const quotient = k.div(a, b);
  if (a.type === "u32") return quotient;
  return k.sub(quotient, k.select(signsDiffer(k, k.binary("rem", a, b), b), 1, k.int(0)));
}

/** a − b·floor(a / b), with the sign of b. 0 for an integer b of 0, NaN for a float one. */
export function floorMod(k: Values, a: Value, b: Value): Value {
  const rest = a.type === "f32" ? rem(k, a, b) : k.binary("rem", a, b);
  if (a.type === "u32") return rest;
  return k.select(signsDiffer(k, rest, b), k.add(rest, b), rest);
}

/** a ≠ 0 and exactly one of a, b is negative. */
const signsDiffer = (k: Values, a: Value, b: Value): Value =>
  k.and(k.binary("ne", a, k.of(0, a)), k.binary("ne", k.lt(a, 0), k.lt(b, 0)));

/**
 * a − b·trunc(a / b), with the sign of a: exact where |a / b| < 2²⁰; beyond, off by at most 1 ULP of a.
 *
 * The quotient is taken off in two steps of at most 11 bits and b is multiplied in two halves, so that products are
 * exact; a quotient one too large or too small shows in the sign or size of the rest.
 */
export function rem(k: Values, a: Value, b: Value): Value {
  if (a.type !== "f32") return k.binary("rem", a, b);
  const x = k.unary("abs", a);
  const y = k.unary("abs", b);
  const high = highHalf(k, y);
  const low = k.sub(y, high);
  const takeOff = (from: Value, quotient: Value) =>
    k.sub(k.sub(from, k.mul(quotient, high)), k.mul(quotient, low));
  const coarse = k.mul(k.unary("trunc", k.div(x, k.mul(y, 1024))), 1024);
  const middle = takeOff(x, coarse);
  const rough = takeOff(middle, k.unary("trunc", k.div(middle, y)));
  const raised = k.select(k.lt(rough, 0), k.add(rough, y), rough);
  const rest = k.select(k.le(y, raised), k.sub(raised, y), raised);
  const signed = k.select(k.lt(a, 0), k.unary("neg", rest), rest);
  const smaller = k.lt(x, y); // also b = ±∞
  const undefinedHere = k.or(k.eq(y, 0), isInf(k, a));
  const value = k.select(undefinedHere, NaN, k.select(smaller, a, signed));
  return k.select(isNaNValue(k, b), b, keepNaN(k, a, value));
}

/**
 * Conversion by value (SEMANTICS §6): float → integer truncates, saturates, and NaN gives 0; → bool is x ≠ 0, NaN true.
 * A bare conversion of a float outside the integer type's range gives anything.
 */
export function castValue(k: Values, to: ValueType, x: Value): Value {
  if (x.type === to) return x;
  if (to === "bool") {
    const nonzero = k.binary("ne", x, k.of(0, x));
    return x.type === "f32" ? k.or(nonzero, isNaNValue(k, x)) : nonzero;
  }
  if (x.type !== "f32") return k.cast(to, x);
  switch (to) {
    case "i32": {
      const low = k.select(k.lt(-2147483648, x), k.cast("i32", x), k.int(-2147483648));
      return k.select(isNaNValue(k, x), 0, k.select(k.lt(x, 2147483648), low, 2147483647));
    }
    case "u32": {
      const low = k.select(k.lt(0, x), k.cast("u32", x), 0);
      return k.select(isNaNValue(k, x), 0, k.select(k.lt(x, 4294967296), low, 4294967295));
    }
    default:
      throw new InternalError("numerics", `no conversion from ${x.type} to ${to}`);
  }
}
