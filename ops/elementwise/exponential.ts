/** Exponentials, logarithms and roots, of floats. */

import * as real from "../../compiler/graph/real.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import * as numerics from "../../compiler/kernel/numerics.ts";
import { unary } from "./apply.ts";
import { add, div, mul, square } from "./arithmetic.ts";
import { elementwise, floats, ulpOfExponential } from "./define.ts";

export const expOp = elementwise({
  name: "exp",
  arity: 1,
  dtypes: floats,
  number: real.exp,
  lower: (k, x) => numerics.exp(k, x!),
  gradient: ({ g, y }) => [mul(g, y)],
  domain: [{ lo: -4, hi: 4 }],
  special: [[0], [1e-3], [88.5], [-87], [89], [-104], [200], [Infinity], [-Infinity], [NaN]],
  ulp: 1.5,
  builtinUlp: ulpOfExponential(0),
});

export const exp2Op = elementwise({
  name: "exp2",
  arity: 1,
  dtypes: floats,
  number: real.exp2,
  lower: (k, x) => numerics.exp2(k, x!),
  gradient: ({ g, y }) => [mul(g, mul(y, Math.LN2))],
  domain: [{ lo: -4, hi: 4 }],
  special: [[0], [10], [127.5], [128], [-126], [-150], [Infinity], [-Infinity], [NaN]],
  ulp: 1.5,
});

export const expm1Op = elementwise({
  name: "expm1",
  arity: 1,
  dtypes: floats,
  number: real.expm1,
  lower: (k, x) => numerics.expm1(k, x!),
  gradient: ({ g, y }) => [mul(g, add(y, 1))],
  domain: [{ lo: -3, hi: 3 }],
  special: [[0], [1e-7], [-1e-7], [88.5], [-20], [-200], [Infinity], [-Infinity], [NaN]],
  ulp: 2.5,
});

export const logOp = elementwise({
  name: "log",
  arity: 1,
  dtypes: floats,
  number: real.log,
  lower: (k, x) => numerics.log(k, x!),
  gradient: ({ g, x: [x] }) => [div(g, x!)],
  domain: [{ lo: 0.1, hi: 5 }],
  special: [[0], [-0], [1], [0.999], [1.18e-38], [3e38], [-1], [Infinity], [-Infinity], [NaN]],
  ulp: 1.5,
});

export const log2Op = elementwise({
  name: "log2",
  arity: 1,
  dtypes: floats,
  number: real.log2,
  lower: (k, x) => numerics.log2(k, x!),
  gradient: ({ g, x: [x] }) => [div(g, mul(x!, Math.LN2))],
  domain: [{ lo: 0.1, hi: 5 }],
  special: [[0], [1], [8], [0.125], [0.999], [1.18e-38], [-1], [Infinity], [-Infinity], [NaN]],
  ulp: 3,
});

export const log1pOp = elementwise({
  name: "log1p",
  arity: 1,
  dtypes: floats,
  number: real.log1p,
  lower: (k, x) => numerics.log1p(k, x!),
  gradient: ({ g, x: [x] }) => [div(g, add(x!, 1))],
  domain: [{ lo: -0.8, hi: 4 }],
  special: [[0], [1e-7], [-1e-7], [-0.99], [-1], [-2], [3e38], [Infinity], [-Infinity], [NaN]],
  ulp: 3,
});

export const sqrtOp = elementwise({
  name: "sqrt",
  arity: 1,
  dtypes: floats,
  number: Math.sqrt,
  lower: (k, x) => k.unary("sqrt", x!),
  gradient: ({ g, y }) => [div(mul(g, 0.5), y)],
  domain: [{ lo: 0.1, hi: 5 }],
  special: [[0], [4], [1e30], [-1], [Infinity], [NaN]],
  ulp: 3,
});

export const rsqrtOp = elementwise({
  name: "rsqrt",
  arity: 1,
  dtypes: floats,
  number: (x) => 1 / Math.sqrt(x),
  lower: (k, x) => k.unary("inverseSqrt", x!),
  gradient: ({ g, y }) => [mul(mul(g, -0.5), mul(y, square(y)))],
  domain: [{ lo: 0.1, hi: 5 }],
  special: [[0], [4], [1e30], [-1], [Infinity], [NaN]],
  ulp: 2,
});

/**
 * eˣ; ∞ from 88.73 on, 0 where the result would be subnormal.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { add, exp, exp2, input, log, log2, model } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ odds: exp(x), bits: log2(add(exp2(x), 1)), back: log(exp(x)) }));
 * ```
 */
export function exp<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(expOp, x);
}

/**
 * 2ˣ, exact for integral x.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function exp2<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(exp2Op, x);
}

/**
 * eˣ − 1 without cancellation near 0.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function expm1<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(expm1Op, x);
}

/**
 * Natural logarithm; −∞ at 0, NaN below.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function log<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(logOp, x);
}

/**
 * Binary logarithm, exact for powers of two; −∞ at 0, NaN below.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function log2<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(log2Op, x);
}

/**
 * log(1 + x) without cancellation near 0; −∞ at −1, NaN below.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { expm1, input, log1p, model } from "@weft/weft";
 *
 * // For x = 1e-8, log(1 + x) would be 0 and exp(x) - 1 too.
 * model({ x: input([4], "f32") }, ({ x }) => ({ log: log1p(x), growth: expm1(x) }));
 * ```
 */
export function log1p<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(log1pOp, x);
}

/**
 * √x; NaN below 0.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function sqrt<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(sqrtOp, x);
}

/**
 * 1 / √x; ∞ at 0, NaN below.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { abs, input, model, mul, rsqrt, sqrt, square, sum } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ unit: mul(x, rsqrt(sum(square(x)))), root: sqrt(abs(x)) }));
 * ```
 */
export function rsqrt<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(rsqrtOp, x);
}
