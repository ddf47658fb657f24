/** The larger and the smaller of two. NaN if either is NaN; ties share the gradient equally (SEMANTICS §8). */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { maxPropagating, minPropagating } from "../../compiler/kernel/numerics.ts";
import { full } from "../leaves.ts";
import type { Both, First, Second } from "../../compiler/model/shape_types.ts";
import { binary } from "./apply.ts";
import { mul } from "./arithmetic.ts";
import { equal, less } from "./comparison.ts";
import { elementwise, numeric } from "./define.ts";
import { where } from "./select.ts";

const anywhere = { lo: -3, hi: 3 };
const special = [[1, 2], [2, 1], [1, 1], [NaN, 1], [1, NaN], [Infinity, NaN], [Infinity, -Infinity], [0, -0]];

/** What flows to the operand that won: all, half in a tie, none if it lost. */
function share(g: Tensor, wins: Tensor<Shape, "bool">, ties: Tensor<Shape, "bool">): Tensor {
  return where(wins, g, where(ties, mul(g, 0.5), full(g.shape, 0, g.dtype)));
}

export const maximumOp = elementwise({
  name: "maximum",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => Math.max(a!, b!),
  lower: (k, a, b) => maxPropagating(k, a!, b!),
  gradient({ g, x: [a, b] }) {
    const ties = equal(a!, b!);
    return [share(g, less(b!, a!), ties), share(g, less(a!, b!), ties)];
  },
  domain: [anywhere, anywhere],
  special,
});

export const minimumOp = elementwise({
  name: "minimum",
  arity: 2,
  dtypes: numeric,
  number: (a, b) => Math.min(a!, b!),
  lower: (k, a, b) => minPropagating(k, a!, b!),
  gradient({ g, x: [a, b] }) {
    const ties = equal(a!, b!);
    return [share(g, less(a!, b!), ties), share(g, less(b!, a!), ties)];
  },
  domain: [anywhere, anywhere],
  special,
});

/**
 * The larger of both, with broadcasting; NaN if either is. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 * @example
 * ```ts
 * import { input, maximum, minimum, model } from "@weft/weft";
 *
 * // [1, NaN, 3] and 2: [2, NaN, 3].
 * model({ x: input([3], "f32") }, ({ x }) => ({ least: maximum(x, 2), most: minimum(x, 2) }));
 * ```
 */
export function maximum<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"maximum", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return binary(maximumOp, a, b) as Tensor<Both<A, B>, D | E>;
}

/**
 * The smaller of both, with broadcasting; NaN if either is. One side may be a number.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 */
export function minimum<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  a: First<A, D>,
  b: Second<"minimum", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return binary(minimumOp, a, b) as Tensor<Both<A, B>, D | E>;
}
