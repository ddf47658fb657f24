/** The four operations, and what is made of them. Operands broadcast; a number takes the tensor's dtype. */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { isFiniteValue } from "../../compiler/kernel/numerics.ts";
import type { Both, First, Second } from "../../compiler/model/shape_types.ts";
import { binary, unary } from "./apply.ts";
import { elementwise, numeric } from "./define.ts";

const anywhere = { lo: -3, hi: 3 };
const nonzero = { lo: 0.4, hi: 3, ilo: 1 };

export const addOp = elementwise({
  name: "add",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => a + b,
  lower: (k, a, b) => k.add(a!, b!),
  gradient: ({ g }) => [g, g],
  domain: [anywhere, anywhere],
  special: [[Infinity, 1], [Infinity, -Infinity], [NaN, 1], [0, -0]],
});

export const subOp = elementwise({
  name: "sub",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => a - b,
  lower(k, a, b) {
    // Drivers fold x − x to 0, but ∞ − ∞ is NaN.
    if (a === b && a!.type === "f32") return k.select(isFiniteValue(k, a!), k.const(0), NaN);
    return k.sub(a!, b!);
  },
  gradient: ({ g }) => [g, neg(g)],
  domain: [anywhere, anywhere],
  special: [[Infinity, Infinity], [1, Infinity], [NaN, 1], [1, NaN]],
});

export const mulOp = elementwise({
  name: "mul",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => a * b,
  integer: Math.imul,
  lower: (k, a, b) => k.mul(a!, b!),
  gradient: ({ g, x: [a, b] }) => [mul(g, b!), mul(g, a!)],
  domain: [anywhere, anywhere],
  special: [[Infinity, 0], [Infinity, -2], [NaN, 0], [1e30, 1e30]],
  specialIntegers: [[0x7fffffff, 3], [-0x80000000, -1], [123456789, 987654321]],
});

export const divOp = elementwise({
  name: "div",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => a / b,
  integer: (a, b) => b === 0 ? a : a / b,
  lower: (k, a, b) => k.div(a!, b!),
  gradient: ({ g, x: [, b], y }) => [div(g, b!), neg(div(mul(g, y), b!))],
  domain: [anywhere, nonzero],
  special: [[1, 0], [-1, 0], [0, 0], [Infinity, Infinity], [1, Infinity], [NaN, 1], [1, NaN]],
  specialIntegers: [[7, 0], [-7, 2], [-0x80000000, -1], [7, -2]],
  ulp: 2.5,
});

export const negOp = elementwise({
  name: "neg",
  arity: 1,
  dtypes: ["f32", "f16", "i32"],
  number: (a) => -a,
  lower: (k, a) => k.unary("neg", a!),
  gradient: ({ g }) => [neg(g)],
  domain: [anywhere],
  special: [[Infinity], [NaN], [0]],
});

export const reciprocalOp = elementwise({
  name: "reciprocal",
  arity: 1,
  dtypes: ["f32", "f16"],
  number: (a) => 1 / a,
  lower: (k, a) => k.div(1, a!),
  gradient: ({ g, y }) => [neg(mul(g, square(y)))],
  domain: [nonzero],
  special: [[0], [Infinity], [-Infinity], [NaN], [-4]],
  ulp: 2.5,
});

export const squareOp = elementwise({
  name: "square",
  arity: 1,
  dtypes: numeric,
  number: (a) => a * a,
  integer: (a) => Math.imul(a, a),
  lower: (k, a) => k.mul(a!, a!),
  gradient: ({ g, x: [a] }) => [mul(g, mul(a!, 2))],
  domain: [anywhere],
  special: [[Infinity], [-Infinity], [NaN], [1e30]],
});

export const absOp = elementwise({
  name: "abs",
  arity: 1,
  dtypes: numeric,
  number: Math.abs,
  lower: (k, a) => k.unary("abs", a!),
  // sign(0) = 0, so nothing flows at the kink.
  gradient: ({ g, x: [a] }) => [mul(g, sign(a!))],
  domain: [anywhere],
  special: [[-Infinity], [NaN], [-0]],
  specialIntegers: [[-0x80000000], [-3]],
});

export const signOp = elementwise({
  name: "sign",
  arity: 1,
  dtypes: numeric,
  number: Math.sign,
  lower(k, a) {
    const negative = a!.type === "u32" ? a! : k.select(k.lt(a!, 0), -1, a!);
    return k.select(k.lt(0, a!), 1, negative); // 0 and NaN are their own sign
  },
  gradient: () => [null],
  domain: [anywhere],
  special: [[0], [-0], [NaN], [Infinity], [-Infinity]],
  jumps: true,
});

/**
 * a + b, with broadcasting. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 * @example
 * ```ts
 * import { add, div, input, model, mul, sub } from "@weft/weft";
 *
 * model({ x: input(["batch", 3], "f32"), row: input([3], "f32") }, ({ x, row }) => {
 *   return { sum: add(x, row), twice: mul(x, 2), rest: sub(1, x), half: div(x, 2) };
 * });
 * ```
 */
export function add<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"add", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return binary(addOp, a, b) as Tensor<Both<A, B>, D | E>;
}

/**
 * a − b, with broadcasting. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 */
export function sub<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"sub", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return binary(subOp, a, b) as Tensor<Both<A, B>, D | E>;
}

/**
 * a · b element by element, with broadcasting. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 */
export function mul<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"mul", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return binary(mulOp, a, b) as Tensor<Both<A, B>, D | E>;
}

/**
 * a / b, with broadcasting. Integers truncate, and x / 0 = x (SEMANTICS §7). One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 */
export function div<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"div", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return binary(divOp, a, b) as Tensor<Both<A, B>, D | E>;
}

/**
 * −a.
 *
 * @throws ShapeError for bool and u32.
 */
export function neg<S extends Shape, D extends DType>(a: Tensor<S, D>): Tensor<S, D> {
  return unary(negOp, a);
}

/**
 * 1 / a, for floats.
 *
 * @throws ShapeError for dtypes other than f32 and f16.
 * @example
 * ```ts
 * import { input, model, reciprocal } from "@weft/weft";
 *
 * model({ x: input([3], "f32") }, ({ x }) => ({ y: reciprocal(x) })); // of [2, 0, -4]: [0.5, Infinity, -0.25]
 * ```
 */
export function reciprocal<S extends Shape, D extends DType>(a: Tensor<S, D>): Tensor<S, D> {
  return unary(reciprocalOp, a);
}

/**
 * a².
 *
 * @throws ShapeError for bool.
 */
export function square<S extends Shape, D extends DType>(a: Tensor<S, D>): Tensor<S, D> {
  return unary(squareOp, a);
}

/**
 * |a|; its derivative at 0 is 0.
 *
 * @throws ShapeError for bool.
 */
export function abs<S extends Shape, D extends DType>(a: Tensor<S, D>): Tensor<S, D> {
  return unary(absOp, a);
}

/**
 * −1, 0 or 1; NaN for NaN. Its derivative is 0 everywhere.
 *
 * @throws ShapeError for bool.
 * @example
 * ```ts
 * import { abs, input, model, neg, sign, square } from "@weft/weft";
 *
 * // Of [-2, 0, 3]: [-1, 0, 1], [2, 0, 3], [2, 0, -3] and [4, 0, 9].
 * model({ x: input([3], "f32") }, ({ x }) => ({ sign: sign(x), abs: abs(x), neg: neg(x), square: square(x) }));
 * ```
 */
export function sign<S extends Shape, D extends DType>(a: Tensor<S, D>): Tensor<S, D> {
  return unary(signOp, a);
}
