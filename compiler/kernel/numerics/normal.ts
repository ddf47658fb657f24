/** The normal distribution: its cumulative probability and density share one exponential. What gelu is made of. */

import type { Value } from "../value.ts";
import type { Values } from "../values.ts";
import { highHalf, keepNaN } from "./bits.ts";
import { expUnguarded } from "./exponential.ts";
import { polynomial } from "./polynomial.ts";

/** P(X > a) · e^(a²/2) / u in u = 4 / (4 + a) for a in [0, 13]; minimax, error 0.83 ULP. */
const tail = [
  0.09980844,
  0.098340124,
  0.104948826,
  0.028417781,
  0.21198086,
  -0.22014342,
  0.30835527,
  -0.15859951,
  0.026891604,
];

export interface Normal {
  /** P(X ≤ x), within 8 ULP also for x far below 0; 0 from −12.9 on. */
  readonly cdf: Value;
  /** e^(−x²/2) / √(2π), within 2.5 ULP. */
  readonly density: Value;
}

/** Both at x; NaN for NaN. */
export function normal(k: Values, x: Value): Normal {
  const a = k.unary("abs", x);
  const bounded = k.binary("min", a, 13);
  // −a²/2 in an exact part and a small one: the exponential multiplies a rounding of a² by a².
  const z = highHalf(k, bounded);
  const low = k.mul(k.mul(k.sub(z, bounded), k.add(z, bounded)), 0.5);
  const e = k.select(k.lt(12.9, a), 0, expUnguarded(k, k.mul(k.mul(z, z), -0.5), low));
  const u = k.div(4, k.add(bounded, 4));
  const above = k.mul(k.mul(u, e), polynomial(k, u, tail));
  return {
    cdf: keepNaN(k, x, k.select(k.lt(x, 0), above, k.sub(1, above))),
    density: keepNaN(k, x, k.mul(e, 0.3989422804014327)),
  };
}
