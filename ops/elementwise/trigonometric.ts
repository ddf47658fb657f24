/** Trigonometric functions and their inverses, of floats in radians. */

import * as real from "../../compiler/graph/real.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import * as numerics from "../../compiler/kernel/numerics.ts";
import type { Both, First, Second } from "../../compiler/model/shape_types.ts";
import { binary, unary } from "./apply.ts";
import { add, div, mul, neg, square, sub } from "./arithmetic.ts";
import { elementwise, floats } from "./define.ts";
import { rsqrt } from "./exponential.ts";

export const sinOp = elementwise({
  name: "sin",
  arity: 1,
  dtypes: floats,
  number: real.sin,
  lower: (k, x) => numerics.sin(k, x!),
  gradient: ({ g, x: [x] }) => [mul(g, cos(x!))],
  domain: [{ lo: -7, hi: 7 }],
  special: [[0], [-0], [100], [-1000.5], [3.1415927], [Infinity], [-Infinity], [NaN]],
  ulp: 3,
});

export const cosOp = elementwise({
  name: "cos",
  arity: 1,
  dtypes: floats,
  number: real.cos,
  lower: (k, x) => numerics.cos(k, x!),
  gradient: ({ g, x: [x] }) => [neg(mul(g, sin(x!)))],
  domain: [{ lo: -7, hi: 7 }],
  special: [[0], [-0], [100], [-1000.5], [3.1415927], [Infinity], [-Infinity], [NaN]],
  ulp: 3,
});

export const tanOp = elementwise({
  name: "tan",
  arity: 1,
  dtypes: floats,
  number: real.tan,
  lower: (k, x) => numerics.tan(k, x!),
  gradient: ({ g, y }) => [mul(g, add(square(y), 1))],
  domain: [{ lo: -1.3, hi: 1.3 }],
  special: [[0], [-0], [100], [-1000.5], [3.1415927], [Infinity], [-Infinity], [NaN]],
  ulp: 5,
});

export const asinOp = elementwise({
  name: "asin",
  arity: 1,
  dtypes: floats,
  number: real.asin,
  lower: (k, x) => numerics.asin(k, x!),
  gradient: ({ g, x: [x] }) => [mul(g, rsqrt(sub(1, square(x!))))],
  domain: [{ lo: -0.9, hi: 0.9 }],
  special: [[0], [-0], [1], [-1], [0.5], [0.9999], [1.5], [-Infinity], [NaN]],
  ulp: 4,
});

export const acosOp = elementwise({
  name: "acos",
  arity: 1,
  dtypes: floats,
  number: real.acos,
  lower: (k, x) => numerics.acos(k, x!),
  gradient: ({ g, x: [x] }) => [neg(mul(g, rsqrt(sub(1, square(x!)))))],
  domain: [{ lo: -0.9, hi: 0.9 }],
  special: [[0], [-0], [1], [-1], [0.5], [0.9999], [1.5], [-Infinity], [NaN]],
  ulp: 4,
});

export const atanOp = elementwise({
  name: "atan",
  arity: 1,
  dtypes: floats,
  number: real.atan,
  lower: (k, x) => numerics.atan(k, x!),
  gradient: ({ g, x: [x] }) => [div(g, add(square(x!), 1))],
  domain: [{ lo: -4, hi: 4 }],
  special: [[0], [-0], [1], [1e6], [Infinity], [-Infinity], [NaN]],
  ulp: 4,
});

export const atan2Op = elementwise({
  name: "atan2",
  arity: 2,
  dtypes: floats,
  number: real.atan2,
  lower: (k, y, x) => numerics.atan2(k, y!, x!),
  gradient({ g, x: [y, x] }) {
    const scaled = div(g, add(square(x!), square(y!)));
    return [mul(scaled, x!), neg(mul(scaled, y!))];
  },
  domain: [{ lo: 0.3, hi: 3 }, { lo: -3, hi: 3 }],
  special: [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
    [0, 0],
    [Infinity, Infinity],
    [Infinity, -Infinity],
    [1, -Infinity],
    [NaN, 1],
    [
      1,
      NaN,
    ],
  ],
  ulp: 5,
});

/**
 * sin x, right to 3 ULP for |x| ≤ 12,867; NaN at ±∞.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { cos, input, model, sin } from "@weft/weft";
 *
 * model({ angle: input([4], "f32") }, ({ angle }) => ({ x: cos(angle), y: sin(angle) })); // in radians
 * ```
 */
export function sin<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(sinOp, x);
}

/**
 * cos x, right to 3 ULP for |x| ≤ 12,867; NaN at ±∞.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function cos<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(cosOp, x);
}

/**
 * tan x, right to 5 ULP for |x| ≤ 12,867; NaN at ±∞.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function tan<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(tanOp, x);
}

/**
 * The angle in [−π/2, π/2] whose sine is x; NaN outside [−1, 1].
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function asin<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(asinOp, x);
}

/**
 * The angle in [0, π] whose cosine is x; NaN outside [−1, 1].
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function acos<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(acosOp, x);
}

/**
 * The angle in [−π/2, π/2] whose tangent is x.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { acos, add, asin, atan, input, model, tan } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ angle: atan(x), slope: tan(atan(x)), quarter: add(asin(x), acos(x)) }));
 * ```
 */
export function atan<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(atanOp, x);
}

/**
 * The angle of the point (x, y) in [−π, π], with broadcasting; 0 at the origin. One side may be a number.
 *
 * @example
 * ```ts
 * import { atan2, input, model } from "@weft/weft";
 *
 * model({ x: input([4], "f32"), y: input([4], "f32") }, ({ x, y }) => ({ angle: atan2(y, x) }));
 * ```
 */
export function atan2<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  y: First<A, D>,
  x: Second<"atan2", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return binary(atan2Op, y, x) as Tensor<Both<A, B>, D | E>;
}
