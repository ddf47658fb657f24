/** The error function and its complement. */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import * as numerics from "../../compiler/kernel/numerics.ts";
import { unary } from "./apply.ts";
import { mul, neg, square } from "./arithmetic.ts";
import { elementwise, floats } from "./define.ts";
import { exp } from "./exponential.ts";
import { erf64, erfc64 } from "./reference/error_function.ts";

const twoOverRootPi = 2 / Math.sqrt(Math.PI);

export const erfOp = elementwise({
  name: "erf",
  arity: 1,
  dtypes: floats,
  number: erf64,
  lower: (k, x) => numerics.erf(k, x!),
  gradient: ({ g, x: [x] }) => [mul(g, mul(exp(neg(square(x!))), twoOverRootPi))],
  domain: [{ lo: -3, hi: 3 }],
  special: [[0], [-0], [1e-6], [0.999], [1], [5], [-5], [Infinity], [-Infinity], [NaN]],
  ulp: 2,
});

export const erfcOp = elementwise({
  name: "erfc",
  arity: 1,
  dtypes: floats,
  number: erfc64,
  lower: (k, x) => numerics.erfc(k, x!),
  gradient: ({ g, x: [x] }) => [mul(g, mul(exp(neg(square(x!))), -twoOverRootPi))],
  domain: [{ lo: -3, hi: 3 }],
  special: [[0], [0.4999], [0.5], [5], [-5], [9], [20], [Infinity], [-Infinity], [NaN]],
  ulp: 8,
});

/**
 * The error function, 2/√π · ∫ exp(−t²) dt from 0 to x.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { erf, erfc, input, model } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ inside: erf(x), outside: erfc(x) })); // their sum is 1
 * ```
 */
export function erf<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(erfOp, x);
}

/**
 * 1 − erf x without cancellation for large x.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function erfc<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(erfcOp, x);
}
