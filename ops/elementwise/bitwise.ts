/** Bits of integers. Shift counts are mod 32; `shiftRight` of i32 keeps the sign (SEMANTICS §7). Nothing flows back. */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Both, Second } from "../../compiler/model/shape_types.ts";
import { binary, unary } from "./apply.ts";
import { elementwise, integers } from "./define.ts";

const bits = { lo: 0, hi: 1, ilo: -1000, ihi: 1000 };
const count = { lo: 0, hi: 1, ilo: 0, ihi: 32 };
const patterns = [[-1, 0x0f0f0f0f], [0x7fffffff, 31], [-0x80000000, 1], [-0x80000000, 33]];

export const bitAndOp = elementwise({
  name: "bitAnd",
  arity: 2,
  dtypes: integers,
  number: (a, b) => a & b,
  lower: (k, a, b) => k.and(a!, b!),
  gradient: () => [null, null],
  domain: [bits, bits],
  specialIntegers: patterns,
});

export const bitOrOp = elementwise({
  name: "bitOr",
  arity: 2,
  dtypes: integers,
  number: (a, b) => a | b,
  lower: (k, a, b) => k.or(a!, b!),
  gradient: () => [null, null],
  domain: [bits, bits],
  specialIntegers: patterns,
});

export const bitXorOp = elementwise({
  name: "bitXor",
  arity: 2,
  dtypes: integers,
  number: (a, b) => a ^ b,
  lower: (k, a, b) => k.binary("xor", a!, b!),
  gradient: () => [null, null],
  domain: [bits, bits],
  specialIntegers: patterns,
});

export const bitNotOp = elementwise({
  name: "bitNot",
  arity: 1,
  dtypes: integers,
  number: (a) => ~a,
  lower: (k, a) => k.unary("bitNot", a!),
  gradient: () => [null],
  domain: [bits],
});

export const shiftLeftOp = elementwise({
  name: "shiftLeft",
  arity: 2,
  dtypes: integers,
  number: (a, b) => a << b,
  lower: (k, a, b) => k.binary("shl", a!, k.and(k.cast("u32", b!), k.const(31, "u32"))),
  gradient: () => [null, null],
  domain: [bits, count],
  specialIntegers: patterns,
});

/** Two ops, because the reference of one sees numbers and not their type. */
export const shiftRightOp = elementwise({
  name: "shiftRight",
  arity: 2,
  dtypes: ["i32"],
  number: (a, b) => a >> b,
  lower: (k, a, b) => k.binary("shr", a!, k.and(k.cast("u32", b!), k.const(31, "u32"))),
  gradient: () => [null, null],
  domain: [bits, count],
  specialIntegers: patterns,
});

export const shiftRightUnsignedOp = elementwise({
  name: "shiftRightUnsigned",
  arity: 2,
  dtypes: ["u32"],
  number: (a, b) => a >>> b,
  lower: (k, a, b) => k.binary("shr", a!, k.and(b!, k.const(31, "u32"))),
  gradient: () => [null, null],
  domain: [bits, count],
  specialIntegers: patterns,
});

/**
 * The bits that both have; integers, with broadcasting.
 *
 * @throws ShapeError for dtypes other than i32 and u32, for two dtypes, and for shapes that do not broadcast.
 * @example
 * ```ts
 * import { bitAnd, bitNot, bitXor, input, model, shiftLeft, shiftRight } from "@weft/weft";
 *
 * model({ x: input([4], "u32") }, ({ x }) => {
 *   return { low: bitAnd(x, 0xff), high: shiftRight(x, 24), turned: bitXor(bitNot(x), shiftLeft(x, 1)) };
 * });
 * ```
 */
export function bitAnd<
  A extends Shape,
  D extends DType,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: Tensor<A, D>,
  b: Second<"bitAnd", A, D, B, E>,
): Tensor<Both<A, B>, D> {
  return binary(bitAndOp, a, b) as Tensor<Both<A, B>, D>;
}

/**
 * The bits that either has; integers, with broadcasting.
 *
 * @throws ShapeError for dtypes other than i32 and u32, for two dtypes, and for shapes that do not broadcast.
 */
export function bitOr<
  A extends Shape,
  D extends DType,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: Tensor<A, D>,
  b: Second<"bitOr", A, D, B, E>,
): Tensor<Both<A, B>, D> {
  return binary(bitOrOp, a, b) as Tensor<Both<A, B>, D>;
}

/**
 * The bits that one of them has; integers, with broadcasting.
 *
 * @throws ShapeError for dtypes other than i32 and u32, for two dtypes, and for shapes that do not broadcast.
 */
export function bitXor<
  A extends Shape,
  D extends DType,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: Tensor<A, D>,
  b: Second<"bitXor", A, D, B, E>,
): Tensor<Both<A, B>, D> {
  return binary(bitXorOp, a, b) as Tensor<Both<A, B>, D>;
}

/** All bits flipped. */
export function bitNot<S extends Shape, D extends DType>(a: Tensor<S, D>): Tensor<S, D> {
  return unary(bitNotOp, a);
}

/**
 * a · 2ᵇ, wrapped; b counts mod 32.
 *
 * @throws ShapeError for dtypes other than i32 and u32, for two dtypes, and for shapes that do not broadcast.
 */
export function shiftLeft<
  A extends Shape,
  D extends DType,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: Tensor<A, D>,
  b: Second<"shiftLeft", A, D, B, E>,
): Tensor<Both<A, B>, D> {
  return binary(shiftLeftOp, a, b) as Tensor<Both<A, B>, D>;
}

/**
 * a shifted to the right by b mod 32: with its sign for i32, with zeros for u32.
 *
 * @throws ShapeError for dtypes other than i32 and u32, for two dtypes, and for shapes that do not broadcast.
 */
export function shiftRight<
  A extends Shape,
  D extends DType,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: Tensor<A, D>,
  b: Second<"shiftRight", A, D, B, E>,
): Tensor<Both<A, B>, D> {
  return binary(a.dtype === "u32" ? shiftRightUnsignedOp : shiftRightOp, a, b) as Tensor<Both<A, B>, D>;
}
