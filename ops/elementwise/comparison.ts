/**
 * Comparisons: a bool per element. False where an operand is NaN, but ≠ is true there (SEMANTICS §8). Nothing flows back.
 */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import type { Values } from "../../compiler/kernel/values.ts";
import { isNaNValue } from "../../compiler/kernel/numerics.ts";
import type { Both, First, Second } from "../../compiler/model/shape_types.ts";
import { binary } from "./apply.ts";
import { elementwise, type ElementwiseOp, numeric } from "./define.ts";

function comparison(
  name: string,
  number: (a: number, b: number) => boolean,
  lower: (k: Values, a: Value, b: Value) => Value,
  dtypes: readonly DType[] = numeric,
): ElementwiseOp {
  return elementwise({
    name,
    arity: 2,
    dtypes,
    result: () => "bool",
    number: (a, b) => Number(number(a!, b!)),
    lower: (k, a, b) => lower(k, a!, b!),
    gradient: () => [null, null],
    domain: [{ lo: -2, hi: 2, ilo: -2, ihi: 3 }, { lo: -2, hi: 2, ilo: -2, ihi: 3 }],
    special: [[1, 1], [0, -0], [NaN, NaN], [NaN, 1], [1, NaN], [Infinity, Infinity], [-Infinity, Infinity]],
    specialIntegers: [[-0x80000000, 0x7fffffff], [0x7fffffff, -0x80000000], [5, 5]],
    jumps: true,
  });
}

/** Drivers fold x = x to true and x ≠ x to false, also for NaN. */
const equalValue = (k: Values, a: Value, b: Value): Value =>
  a === b && a.type === "f32" ? k.not(isNaNValue(k, a)) : k.eq(a, b);

const withBool: readonly DType[] = [...numeric, "bool"];

export const equalOp = comparison("equal", (a, b) => a === b, equalValue, withBool);
export const notEqualOp = comparison(
  "notEqual",
  (a, b) => a !== b,
  (k, a, b) => k.not(equalValue(k, a, b)),
  withBool,
);
export const lessOp = comparison("less", (a, b) => a < b, (k, a, b) => k.lt(a, b));
export const lessEqualOp = comparison(
  "lessEqual",
  (a, b) => a <= b,
  (k, a, b) => a === b && a.type === "f32" ? k.not(isNaNValue(k, a)) : k.le(a, b),
);

/**
 * a = b, with broadcasting. One side may be a number.
 *
 * @throws ShapeError for two dtypes, and for shapes that do not broadcast.
 */
export function equal<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"equal", A, D, B, E>,
): Tensor<Both<A, B>, "bool"> {
  return binary(equalOp, a, b) as Tensor<Both<A, B>, "bool">;
}

/**
 * a ≠ b (true where one is NaN), with broadcasting. One side may be a number.
 *
 * @throws ShapeError for two dtypes, and for shapes that do not broadcast.
 */
export function notEqual<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"notEqual", A, D, B, E>,
): Tensor<Both<A, B>, "bool"> {
  return binary(notEqualOp, a, b) as Tensor<Both<A, B>, "bool">;
}

/**
 * a < b, with broadcasting. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 * @example
 * ```ts
 * import { equal, greaterEqual, input, less, model } from "@weft/weft";
 *
 * model({ x: input([4], "f32"), y: input([4], "f32") }, ({ x, y }) => {
 *   return { less: less(x, y), known: greaterEqual(x, 0), same: equal(x, y) }; // bool[4] each
 * });
 * ```
 */
export function less<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"less", A, D, B, E>,
): Tensor<Both<A, B>, "bool"> {
  return binary(lessOp, a, b) as Tensor<Both<A, B>, "bool">;
}

/**
 * a ≤ b, with broadcasting. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 */
export function lessEqual<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"lessEqual", A, D, B, E>,
): Tensor<Both<A, B>, "bool"> {
  return binary(lessEqualOp, a, b) as Tensor<Both<A, B>, "bool">;
}

/**
 * a > b, with broadcasting. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 */
export function greater<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"greater", A, D, B, E>,
): Tensor<Both<A, B>, "bool"> {
  return binary(lessOp, b, a) as Tensor<Both<A, B>, "bool">;
}

/**
 * a ≥ b, with broadcasting. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 */
export function greaterEqual<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"greaterEqual", A, D, B, E>,
): Tensor<Both<A, B>, "bool"> {
  return binary(lessEqualOp, b, a) as Tensor<Both<A, B>, "bool">;
}
