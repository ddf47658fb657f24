/**
 * Comparisons: a bool per element. False where an operand is NaN, but ≠ is true there (SEMANTICS §8). Nothing flows back.
 */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Value, Values } from "../../compiler/kernel/value.ts";
import { isNaNValue } from "../../compiler/kernel/numerics.ts";
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

/** a = b, with broadcasting. One side may be a number. */
export function equal<S extends Shape, D extends DType>(
  a: Tensor<S, D>,
  b: Tensor<Shape, D> | number,
): Tensor<S, "bool">;
export function equal<S extends Shape, D extends DType>(a: number, b: Tensor<S, D>): Tensor<S, "bool">;
export function equal(a: Tensor | number, b: Tensor | number): Tensor {
  return binary(equalOp, a, b);
}

/** a ≠ b (true where one is NaN), with broadcasting. One side may be a number. */
export function notEqual<S extends Shape, D extends DType>(
  a: Tensor<S, D>,
  b: Tensor<Shape, D> | number,
): Tensor<S, "bool">;
export function notEqual<S extends Shape, D extends DType>(a: number, b: Tensor<S, D>): Tensor<S, "bool">;
export function notEqual(a: Tensor | number, b: Tensor | number): Tensor {
  return binary(notEqualOp, a, b);
}

/** a < b, with broadcasting. One side may be a number. */
export function less<S extends Shape, D extends DType>(
  a: Tensor<S, D>,
  b: Tensor<Shape, D> | number,
): Tensor<S, "bool">;
export function less<S extends Shape, D extends DType>(a: number, b: Tensor<S, D>): Tensor<S, "bool">;
export function less(a: Tensor | number, b: Tensor | number): Tensor {
  return binary(lessOp, a, b);
}

/** a ≤ b, with broadcasting. One side may be a number. */
export function lessEqual<S extends Shape, D extends DType>(
  a: Tensor<S, D>,
  b: Tensor<Shape, D> | number,
): Tensor<S, "bool">;
export function lessEqual<S extends Shape, D extends DType>(a: number, b: Tensor<S, D>): Tensor<S, "bool">;
export function lessEqual(a: Tensor | number, b: Tensor | number): Tensor {
  return binary(lessEqualOp, a, b);
}

/** a > b, with broadcasting. One side may be a number. */
export function greater<S extends Shape, D extends DType>(
  a: Tensor<S, D>,
  b: Tensor<Shape, D> | number,
): Tensor<S, "bool">;
export function greater<S extends Shape, D extends DType>(a: number, b: Tensor<S, D>): Tensor<S, "bool">;
export function greater(a: Tensor | number, b: Tensor | number): Tensor {
  return binary(lessOp, b, a);
}

/** a ≥ b, with broadcasting. One side may be a number. */
export function greaterEqual<S extends Shape, D extends DType>(
  a: Tensor<S, D>,
  b: Tensor<Shape, D> | number,
): Tensor<S, "bool">;
export function greaterEqual<S extends Shape, D extends DType>(a: number, b: Tensor<S, D>): Tensor<S, "bool">;
export function greaterEqual(a: Tensor | number, b: Tensor | number): Tensor {
  return binary(lessEqualOp, b, a);
}
