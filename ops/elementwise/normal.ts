/** The normal distribution's cumulative probability and density, of floats. Lowered together they share one exponential. */

import * as real from "../../compiler/graph/real.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { normal } from "../../compiler/kernel/numerics.ts";
import { unary } from "./apply.ts";
import { mul, neg } from "./arithmetic.ts";
import { elementwise, floats } from "./define.ts";
import { erfc64 } from "./reference/error_function.ts";

const special = [[0], [5], [-5], [-12], [20], [-20], [Infinity], [-Infinity], [NaN]];

export const normalCdfOp = elementwise({
  name: "normalCdf",
  arity: 1,
  dtypes: floats,
  number: (x) => erfc64(-x / Math.SQRT2) / 2,
  lower: (k, x) => normal(k, x!).cdf,
  gradient: ({ g, x: [x] }) => [mul(g, normalDensity(x!))],
  domain: [{ lo: -4, hi: 4 }],
  special,
  ulp: 10,
});

export const normalDensityOp = elementwise({
  name: "normalDensity",
  arity: 1,
  dtypes: floats,
  number: (x) => real.exp(-x * x / 2) / Math.sqrt(2 * Math.PI),
  lower: (k, x) => normal(k, x!).density,
  gradient: ({ g, x: [x], y }) => [neg(mul(g, mul(x!, y)))],
  domain: [{ lo: -4, hi: 4 }],
  special,
  ulp: 3,
});

/**
 * P(X ≤ x) for a standard normal X, also for x far below 0.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { input, model, normalCdf, normalDensity } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ share: normalCdf(x), density: normalDensity(x) }));
 * ```
 */
export function normalCdf<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(normalCdfOp, x);
}

/**
 * exp(−x²/2) / √(2π).
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function normalDensity<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(normalDensityOp, x);
}
