/** Rounding to integral floats. Nothing flows back: the derivative is 0 almost everywhere. */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { unary } from "./apply.ts";
import { elementwise, floats } from "./define.ts";

/** Nearest integral number, ties to the even one. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

export const floorOp = elementwise({
  name: "floor",
  arity: 1,
  dtypes: floats,
  number: Math.floor,
  lower: (k, x) => k.unary("floor", x!),
  gradient: () => [null],
  domain: [{ lo: -5, hi: 5 }],
  special: [[0], [0.5], [1.5], [2.5], [-0.5], [-1.5], [-2.5], [8388609], [1e20], [Infinity], [-Infinity], [
    NaN,
  ]],
  jumps: true,
});

export const ceilOp = elementwise({
  name: "ceil",
  arity: 1,
  dtypes: floats,
  number: Math.ceil,
  lower: (k, x) => k.unary("ceil", x!),
  gradient: () => [null],
  domain: [{ lo: -5, hi: 5 }],
  special: [[0], [0.5], [1.5], [2.5], [-0.5], [-1.5], [-2.5], [8388609], [1e20], [Infinity], [-Infinity], [
    NaN,
  ]],
  jumps: true,
});

export const roundOp = elementwise({
  name: "round",
  arity: 1,
  dtypes: floats,
  number: roundHalfEven,
  lower: (k, x) => k.unary("round", x!),
  gradient: () => [null],
  domain: [{ lo: -5, hi: 5 }],
  special: [[0], [0.5], [1.5], [2.5], [-0.5], [-1.5], [-2.5], [8388609], [1e20], [Infinity], [-Infinity], [
    NaN,
  ]],
  jumps: true,
});

export const truncOp = elementwise({
  name: "trunc",
  arity: 1,
  dtypes: floats,
  number: Math.trunc,
  lower: (k, x) => k.unary("trunc", x!),
  gradient: () => [null],
  domain: [{ lo: -5, hi: 5 }],
  special: [[0], [0.5], [1.5], [2.5], [-0.5], [-1.5], [-2.5], [8388609], [1e20], [Infinity], [-Infinity], [
    NaN,
  ]],
  jumps: true,
});

/**
 * The largest integral number ≤ x.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function floor<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(floorOp, x);
}

/**
 * The smallest integral number ≥ x.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 */
export function ceil<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(ceilOp, x);
}

/**
 * The nearest integral number; halves go to the even one.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { ceil, floor, input, model, round } from "@weft/weft";
 *
 * // 2.5 becomes 2, and 3.5 becomes 4.
 * model({ x: input([4], "f32") }, ({ x }) => ({ near: round(x), below: floor(x), above: ceil(x) }));
 * ```
 */
export function round<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(roundOp, x);
}

/**
 * x without its fraction.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { input, model, trunc } from "@weft/weft";
 *
 * model({ x: input([2], "f32") }, ({ x }) => ({ y: trunc(x) })); // of [1.7, -1.7]: [1, -1]
 * ```
 */
export function trunc<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(truncOp, x);
}
