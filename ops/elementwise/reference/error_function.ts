/**
 * erf and erfc in f64 to about 1e-15, for references: the series erf x = 2/√π · e^(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n + 1)!! (all terms
 * positive, so nothing cancels) below 1, and the continued fraction of erfc (DLMF 7.9.3), evaluated backwards, above.
 */

import * as real from "../../../compiler/graph/real.ts";

const rootPi = Math.sqrt(Math.PI);

function series(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / rootPi) * real.exp(-x * x) * sum;
}

/** erfc for x ≥ 1: e^(−x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))). */
function fraction(x: number): number {
  let tail = x;
  for (let n = 600; n >= 1; n--) tail = x + n / 2 / tail;
  return real.exp(-x * x) / rootPi / tail;
}

export function erf64(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (Math.abs(x) < 1) return series(x);
  return x > 0 ? 1 - fraction(x) : fraction(-x) - 1;
}

export function erfc64(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x < 1) return x <= -1 ? 2 - fraction(-x) : 1 - series(x);
  return fraction(x);
}
