/** Hyperbolic functions and their inverses, of floats. */

import * as real from "../../compiler/graph/real.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import * as numerics from "../../compiler/kernel/numerics.ts";
import { unary } from "./apply.ts";
import { add, div, mul, square, sub } from "./arithmetic.ts";
import { elementwise, floats } from "./define.ts";
import { rsqrt } from "./exponential.ts";

export const sinhOp = elementwise({
  name: "sinh",
  arity: 1,
  dtypes: floats,
  number: real.sinh,
  lower: (k, x) => numerics.sinh(k, x!),
  gradient: ({ g, x: [x] }) => [mul(g, cosh(x!))],
  domain: [{ lo: -3, hi: 3 }],
  special: [[0], [-0], [1e-6], [89], [-89], [90], [Infinity], [-Infinity], [NaN]],
  ulp: 5,
});

export const coshOp = elementwise({
  name: "cosh",
  arity: 1,
  dtypes: floats,
  number: real.cosh,
  lower: (k, x) => numerics.cosh(k, x!),
  gradient: ({ g, x: [x] }) => [mul(g, sinh(x!))],
  domain: [{ lo: -3, hi: 3 }],
  special: [[0], [89], [-89], [90], [Infinity], [-Infinity], [NaN]],
  ulp: 4,
});

export const tanhOp = elementwise({
  name: "tanh",
  arity: 1,
  dtypes: floats,
  number: real.tanh,
  lower: (k, x) => numerics.tanh(k, x!),
  gradient: ({ g, y }) => [mul(g, sub(1, square(y)))],
  domain: [{ lo: -3, hi: 3 }],
  special: [[0], [-0], [1e-6], [-1e-6], [9], [100], [-100], [Infinity], [-Infinity], [NaN]],
  ulp: 5,
});

export const asinhOp = elementwise({
  name: "asinh",
  arity: 1,
  dtypes: floats,
  number: real.asinh,
  lower: (k, x) => numerics.asinh(k, x!),
  gradient: ({ g, x: [x] }) => [mul(g, rsqrt(add(square(x!), 1)))],
  domain: [{ lo: -4, hi: 4 }],
  special: [[0], [-0], [1e-6], [5000], [-3e38], [Infinity], [-Infinity], [NaN]],
  ulp: 6,
});

export const acoshOp = elementwise({
  name: "acosh",
  arity: 1,
  dtypes: floats,
  number: real.acosh,
  lower: (k, x) => numerics.acosh(k, x!),
  gradient: ({ g, x: [x] }) => [mul(g, rsqrt(sub(square(x!), 1)))],
  domain: [{ lo: 1.2, hi: 5 }],
  special: [[1], [0.5], [1.0001], [5000], [3e38], [Infinity], [-Infinity], [NaN]],
  ulp: 6,
});

export const atanhOp = elementwise({
  name: "atanh",
  arity: 1,
  dtypes: floats,
  number: real.atanh,
  lower: (k, x) => numerics.atanh(k, x!),
  gradient: ({ g, x: [x] }) => [div(g, sub(1, square(x!)))],
  domain: [{ lo: -0.9, hi: 0.9 }],
  special: [[0], [-0], [1e-6], [0.9999], [1], [-1], [1.5], [Infinity], [NaN]],
  ulp: 6,
});

/**
 * sinh x.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function sinh<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(sinhOp, x);
}

/**
 * cosh x.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function cosh<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(coshOp, x);
}

/**
 * tanh x, also near 0 and for large |x|.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { atanh, input, model, tanh } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ bounded: tanh(x), again: atanh(tanh(x)) }));
 * ```
 */
export function tanh<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(tanhOp, x);
}

/**
 * The inverse of sinh.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { acosh, asinh, cosh, input, model, sinh } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ chain: cosh(x), back: asinh(sinh(x)), also: acosh(cosh(x)) }));
 * ```
 */
export function asinh<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(asinhOp, x);
}

/**
 * The inverse of cosh on [1, ∞); NaN below 1.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function acosh<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(acoshOp, x);
}

/**
 * The inverse of tanh on (−1, 1); ±∞ at ±1, NaN beyond.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function atanh<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(atanhOp, x);
}
