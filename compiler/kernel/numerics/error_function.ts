/**
 * erf and erfc. Minimax polynomials with coefficients rounded to f32; erf below 1 is odd in x, above it is 1 − exp(a·Q(a)),
 * and erfc(a) = u·e^(−a²)·R(u) with u = 2 / (2 + a).
 */

import type { Value } from "../value.ts";
import type { Values } from "../values.ts";
import { copySign, highHalf, keepNaN } from "./bits.ts";
import { expUnguarded } from "./exponential.ts";
import { polynomial } from "./polynomial.ts";

/** (erf x − x) / x in x² on [0, 1]; error 0.03 ULP. */
const small = [0.12837917, -0.37612626, 0.11283579, -0.026853347, 0.005187162, -0.0007997853, 7.806904e-5];
/** log(erfc a) / a on [1, 4]; error 0.05 ULP of erf. */
const large = [-1.1284801, -0.63583136, -0.10511629, 0.022798559, -0.0031869768, 0.00021064703];
/** erfc(a) · e^(a²) / u in u for a in [0.5, 10.1]; error 0.25 ULP. */
const complement = [
  0.28207624,
  0.28257915,
  0.2414275,
  0.21007468,
  -0.045708034,
  0.30761966,
  -0.51391685,
  0.2973697,
  -0.061511867,
];

/** x + x·P(x²), for |x| ≤ 1. */
function nearZero(k: Values, x: Value): Value {
  const square = k.mul(x, x);
  return k.add(x, k.mul(x, polynomial(k, square, small)));
}

/** erf x, within 1.5 ULP. */
export function erf(k: Values, x: Value): Value {
  const a = k.unary("abs", x);
  // erf(4) is 1 in f32; the bare minimum may lose NaN, which comes back below.
  const bounded = k.binary("min", a, 4);
  const far = k.sub(1, expUnguarded(k, k.mul(bounded, polynomial(k, bounded, large))));
  return keepNaN(k, x, k.select(k.lt(a, 1), nearZero(k, x), copySign(k, far, x)));
}

/**
 * 1 − erf x without cancellation, within 6 ULP; 0 from 9.2 on, where it is less than every normal number.
 *
 * a² would lose what the exponential multiplies by a²; so it is z² + (a − z)(a + z) with z² exact.
 */
export function erfc(k: Values, x: Value): Value {
  const a = k.unary("abs", x);
  const bounded = k.binary("min", a, 9.3);
  const z = highHalf(k, bounded);
  const low = k.mul(k.sub(z, bounded), k.add(z, bounded));
  const exponential = expUnguarded(k, k.unary("neg", k.mul(z, z)), low);
  const u = k.div(2, k.add(bounded, 2));
  const tail = k.mul(k.mul(u, exponential), polynomial(k, u, complement));
  const positive = k.select(k.lt(9.2, a), 0, tail);
  const far = k.select(k.lt(x, 0), k.sub(2, positive), positive);
  return keepNaN(k, x, k.select(k.lt(a, 0.5), k.sub(1, nearZero(k, x)), far));
}
