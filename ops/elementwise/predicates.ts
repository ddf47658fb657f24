/** What kind of float an element is. Tested by bits, because drivers fold `x != x`. */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import * as numerics from "../../compiler/kernel/numerics.ts";
import { unary } from "./apply.ts";
import { elementwise, floats } from "./define.ts";

export const isnanOp = elementwise({
  name: "isnan",
  arity: 1,
  dtypes: floats,
  result: () => "bool",
  number: (x) => Number(Number.isNaN(x)),
  lower: (k, x) => numerics.isNaNValue(k, x!),
  gradient: () => [null],
  domain: [{ lo: -5, hi: 5 }],
  special: [[0], [3e38], [-3e38], [Infinity], [-Infinity], [NaN]],
});

export const isinfOp = elementwise({
  name: "isinf",
  arity: 1,
  dtypes: floats,
  result: () => "bool",
  number: (x) => Number(Math.abs(x) === Infinity),
  lower: (k, x) => numerics.isInf(k, x!),
  gradient: () => [null],
  domain: [{ lo: -5, hi: 5 }],
  special: [[0], [3e38], [-3e38], [Infinity], [-Infinity], [NaN]],
});

export const isfiniteOp = elementwise({
  name: "isfinite",
  arity: 1,
  dtypes: floats,
  result: () => "bool",
  number: (x) => Number(Number.isFinite(x)),
  lower: (k, x) => numerics.isFiniteValue(k, x!),
  gradient: () => [null],
  domain: [{ lo: -5, hi: 5 }],
  special: [[0], [3e38], [-3e38], [Infinity], [-Infinity], [NaN]],
});

/**
 * Whether x is NaN.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { input, isfinite, isnan, model, where } from "@weft/weft";
 *
 * // Missing numbers become 0.
 * model({ x: input([4], "f32") }, ({ x }) => ({ y: where(isnan(x), 0, x), fine: isfinite(x) }));
 * ```
 */
export function isnan<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, "bool"> {
  return unary(isnanOp, x) as Tensor<Shape> as Tensor<S, "bool">;
}

/**
 * Whether x is +∞ or −∞.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function isinf<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, "bool"> {
  return unary(isinfOp, x) as Tensor<Shape> as Tensor<S, "bool">;
}

/**
 * Whether x is neither infinite nor NaN.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function isfinite<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, "bool"> {
  return unary(isfiniteOp, x) as Tensor<Shape> as Tensor<S, "bool">;
}
