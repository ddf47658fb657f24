/** The four operations, and what is made of them. Operands broadcast; a number takes the tensor's dtype. */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { broadcastOperands } from "../broadcast.ts";
import { elementwise } from "./define.ts";

const numeric: readonly DType[] = ["f32", "f16", "i32", "u32"];
const anywhere = { lo: -3, hi: 3 };

export const addOp = elementwise({
  name: "add",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => a + b,
  lower: (k, a, b) => k.add(a!, b!),
  gradient: ({ g }) => [g, g],
  domain: [anywhere, anywhere],
});

export const subOp = elementwise({
  name: "sub",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => a - b,
  lower: (k, a, b) => k.sub(a!, b!),
  gradient: ({ g }) => [g, neg(g)],
  domain: [anywhere, anywhere],
});

export const mulOp = elementwise({
  name: "mul",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => a * b,
  lower: (k, a, b) => k.mul(a!, b!),
  gradient: ({ g, x: [a, b] }) => [mul(g, b!), mul(g, a!)],
  domain: [anywhere, anywhere],
});

export const negOp = elementwise({
  name: "neg",
  arity: 1,
  dtypes: ["f32", "f16", "i32"],
  number: (a) => -a,
  lower: (k, a) => k.unary("neg", a!),
  gradient: ({ g }) => [neg(g)],
  domain: [anywhere],
});

/** a + b, with broadcasting. */
export function add<S extends Shape, D extends DType>(a: Tensor<S, D>, b: Tensor<Shape, D> | number): Tensor<S, D> {
  return apply(addOp, broadcastOperands("add", [a, b]), {}) as Tensor<S, D>;
}

/** a − b, with broadcasting. */
export function sub<S extends Shape, D extends DType>(a: Tensor<S, D>, b: Tensor<Shape, D> | number): Tensor<S, D> {
  return apply(subOp, broadcastOperands("sub", [a, b]), {}) as Tensor<S, D>;
}

/** a · b element by element, with broadcasting. */
export function mul<S extends Shape, D extends DType>(a: Tensor<S, D>, b: Tensor<Shape, D> | number): Tensor<S, D> {
  return apply(mulOp, broadcastOperands("mul", [a, b]), {}) as Tensor<S, D>;
}

/** −a. */
export function neg<S extends Shape, D extends DType>(a: Tensor<S, D>): Tensor<S, D> {
  return apply(negOp, [a], {}) as Tensor<S, D>;
}
