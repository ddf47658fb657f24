/** Remainders and the quotient that floors: `rem` has the sign of a, `floorMod` that of b (SEMANTICS §7, §8). */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import * as numerics from "../../compiler/kernel/numerics.ts";
import type { Both, First, Second } from "../../compiler/model/shape_types.ts";
import { binary } from "./apply.ts";
import { div, mul, neg } from "./arithmetic.ts";
import { elementwise, numeric } from "./define.ts";
import { floor, trunc } from "./rounding.ts";

const numerator = { lo: -7, hi: 7, ilo: -50, ihi: 50 };
const denominator = { lo: 0.6, hi: 2, ilo: 1 };
const special = [
  [7.5, 2],
  [-7.5, 2],
  [7.5, -2],
  [-7.5, -2],
  [6, 3],
  [1e6, 0.7],
  [1, Infinity],
  [-1, Infinity],
  [1, 0],
  [Infinity, 2],
  [NaN, 1],
  [1, NaN],
];
const specialIntegers = [[7, 0], [-7, 2], [7, -2], [-7, -2], [-0x80000000, -1], [0x7fffffff, 2]];

const floorMod64 = (a: number, b: number): number => {
  const rest = a % b;
  return rest !== 0 && (rest < 0) !== (b < 0) ? rest + b : rest;
};

export const remOp = elementwise({
  name: "rem",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => a % b,
  integer: (a, b) => b === 0 ? 0 : a % b,
  lower: (k, a, b) => numerics.rem(k, a!, b!),
  gradient: ({ g, x: [a, b] }) => [g, neg(mul(g, trunc(div(a!, b!))))],
  domain: [numerator, denominator],
  special,
  specialIntegers,
  jumps: true,
});

export const floorModOp = elementwise({
  name: "floorMod",
  arity: 2,
  dtypes: numeric,
  number: floorMod64,
  integer: (a, b) => b === 0 ? 0 : floorMod64(a, b),
  lower: (k, a, b) => numerics.floorMod(k, a!, b!),
  gradient: ({ g, x: [a, b] }) => [g, neg(mul(g, floor(div(a!, b!))))],
  domain: [numerator, denominator],
  special,
  specialIntegers,
  jumps: true,
});

export const floorDivOp = elementwise({
  name: "floorDiv",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => Math.floor(a / b),
  integer: (a, b) => b === 0 ? a : Math.floor(a / b),
  lower: (k, a, b) => numerics.floorDiv(k, a!, b!),
  gradient: () => [null, null],
  domain: [numerator, denominator],
  special: [[7.5, 2], [-7.5, 2], [6, 3], [-1, Infinity], [1, 0], [NaN, 1], [1, NaN]],
  specialIntegers,
  jumps: true,
});

/**
 * a − b·trunc(a / b), with broadcasting: the sign of a. By 0: 0 for integers, NaN for floats. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 */
export function rem<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"rem", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return binary(remOp, a, b) as Tensor<Both<A, B>, D | E>;
}

/**
 * a − b·floor(a / b), with broadcasting: the sign of b. By 0: 0 for integers, NaN for floats. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 * @example
 * ```ts
 * import { floorDiv, floorMod, input, model, rem } from "@weft/weft";
 *
 * // -7 and 2: the remainders are -1 and 1, and the quotient of the latter is -4.
 * model({ n: input([4], "i32") }, ({ n }) => {
 *   return { truncated: rem(n, 2), floored: floorMod(n, 2), quotient: floorDiv(n, 2) };
 * });
 * ```
 */
export function floorMod<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"floorMod", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return binary(floorModOp, a, b) as Tensor<Both<A, B>, D | E>;
}

/**
 * floor(a / b), with broadcasting; x / 0 = x for integers. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 */
export function floorDiv<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"floorDiv", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return binary(floorDivOp, a, b) as Tensor<Both<A, B>, D | E>;
}
