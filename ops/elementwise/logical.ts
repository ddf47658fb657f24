/** Logic on bool. Nothing flows back. */

import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Both, Second } from "../../compiler/model/shape_types.ts";
import { binary, unary } from "./apply.ts";
import { elementwise } from "./define.ts";

const bool = { lo: 0, hi: 1, dtype: "bool" as const };

export const andOp = elementwise({
  name: "and",
  arity: 2,
  dtypes: ["bool"],
  number: (a, b) => a & b,
  lower: (k, a, b) => k.and(a!, b!),
  gradient: () => [null, null],
  domain: [bool, bool],
});

export const orOp = elementwise({
  name: "or",
  arity: 2,
  dtypes: ["bool"],
  number: (a, b) => a | b,
  lower: (k, a, b) => k.or(a!, b!),
  gradient: () => [null, null],
  domain: [bool, bool],
});

export const xorOp = elementwise({
  name: "xor",
  arity: 2,
  dtypes: ["bool"],
  number: (a, b) => a ^ b,
  lower: (k, a, b) => k.binary("ne", a!, b!),
  gradient: () => [null, null],
  domain: [bool, bool],
});

export const notOp = elementwise({
  name: "not",
  arity: 1,
  dtypes: ["bool"],
  number: (a) => 1 - a,
  lower: (k, a) => k.not(a!),
  gradient: () => [null],
  domain: [bool],
});

/**
 * a and b, on bool, with broadcasting.
 *
 * @throws ShapeError for dtypes other than bool, and for shapes that do not broadcast.
 * @example
 * ```ts
 * import { and, greater, input, less, model, not } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => {
 *   const inside = and(greater(x, -1), less(x, 1));
 *   return { inside, outside: not(inside) };
 * });
 * ```
 */
export function and<A extends Shape, B extends Shape = readonly []>(
  a: Tensor<A, "bool">,
  b: Second<"and", A, "bool", B, "bool">,
): Tensor<Both<A, B>, "bool"> {
  return binary(andOp, a, b) as Tensor<Both<A, B>, "bool">;
}

/**
 * a or b, on bool, with broadcasting.
 *
 * @throws ShapeError for dtypes other than bool, and for shapes that do not broadcast.
 * @example
 * ```ts
 * import { input, model, or, xor } from "@weft/weft";
 *
 * model({ a: input([4], "bool"), b: input([4], "bool") }, ({ a, b }) => ({ some: or(a, b), one: xor(a, b) }));
 * ```
 */
export function or<A extends Shape, B extends Shape = readonly []>(
  a: Tensor<A, "bool">,
  b: Second<"or", A, "bool", B, "bool">,
): Tensor<Both<A, B>, "bool"> {
  return binary(orOp, a, b) as Tensor<Both<A, B>, "bool">;
}

/**
 * Exactly one of a, b, on bool, with broadcasting.
 *
 * @throws ShapeError for dtypes other than bool, and for shapes that do not broadcast.
 */
export function xor<A extends Shape, B extends Shape = readonly []>(
  a: Tensor<A, "bool">,
  b: Second<"xor", A, "bool", B, "bool">,
): Tensor<Both<A, B>, "bool"> {
  return binary(xorOp, a, b) as Tensor<Both<A, B>, "bool">;
}

/**
 * Not a, on bool.
 *
 * @throws ShapeError for dtypes other than bool.
 */
export function not<S extends Shape>(a: Tensor<S, "bool">): Tensor<S, "bool"> {
  return unary(notOp, a);
}
