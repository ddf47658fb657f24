/**
 * Functions that WGSL has not, or has with an error bound too wide or holes at NaN, ±∞, 0, as expansions in values.
 *
 * All are f32 functions, branch-free (selects), and use + − × ÷ √, comparisons and bit operations only, so that every
 * adapter and the interpreters agree within a few ULP. Bounds in the docstrings are of the expansion itself, measured in
 * tests/unit/kernel/numerics_test.ts; a driver that fuses multiply and add stays within them. Results that would be
 * subnormal may be 0, and −0 may be +0 (SEMANTICS §8).
 */

export {
  copySign,
  isFiniteValue,
  isInf,
  isNaNValue,
  keepNaN,
  maxPropagating,
  minPropagating,
} from "./numerics/bits.ts";
export { erf, erfc } from "./numerics/error_function.ts";
export { exp, exp2, expm1 } from "./numerics/exponential.ts";
export { acosh, asinh, atanh, cosh, sinh, tanh } from "./numerics/hyperbolic.ts";
export { castValue, floorDiv, floorMod, rem } from "./numerics/integer.ts";
export { acos, asin, atan, atan2 } from "./numerics/inverse_trigonometric.ts";
export { log, log1p, log2 } from "./numerics/logarithm.ts";
export { type Normal, normal } from "./numerics/normal.ts";
export { integerPower, pow } from "./numerics/power.ts";
export { cos, sin, tan } from "./numerics/trigonometric.ts";
