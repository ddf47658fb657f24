/** Choosing between elements: where, and clamp. */

import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { showType, Tensor } from "../../compiler/graph/node.ts";
import { apply } from "../../compiler/graph/build.ts";
import { maxPropagating, minPropagating } from "../../compiler/kernel/numerics.ts";
import type { Both, Fits, Second } from "../../compiler/model/shape_types.ts";
import { broadcastShapes, sameDType } from "../broadcast.ts";
import { full, scalar } from "../leaves.ts";
import { broadcastTo } from "../views/broadcast.ts";
import { elementwise, numeric } from "./define.ts";
import { and } from "./logical.ts";
import { less, lessEqual } from "./comparison.ts";

/** b where the condition holds, c elsewhere; what is not taken contributes nothing, not even 0 · ∞ (SEMANTICS §8). */
export const whereOp = elementwise({
  name: "where",
  arity: 3,
  dtypes: [...numeric, "bool"],
  check([condition, a, b]) {
    if (condition!.dtype !== "bool") {
      throw new ShapeError(
        `where: the condition is ${
          showType(condition!)
        }; it must be bool, such as notEqual(x, 0) or greater(a, b)`,
      );
    }
    sameDType("where", a!.dtype, b!.dtype);
  },
  result: ([, a]) => a!.dtype,
  number: (condition, a, b) => condition ? a! : b!,
  lower: (k, condition, a, b) => k.select(condition!, a!, b!),
  gradient({ g, x: [condition] }) {
    const zero = zeros(g);
    return [
      null,
      where(condition! as Tensor<Shape, "bool">, g, zero),
      where(condition! as Tensor<Shape, "bool">, zero, g),
    ];
  },
  domain: [{ lo: 0, hi: 1, dtype: "bool" }, { lo: -3, hi: 3 }, { lo: -3, hi: 3 }],
  special: [[1, 2, NaN], [0, NaN, 2], [1, Infinity, 0], [0, 0, -Infinity]],
});

/** min(max(x, lo), hi) with NaN passing through from any operand. */
export const clampOp = elementwise({
  name: "clamp",
  arity: 3,
  dtypes: numeric,
  number: (x, lo, hi) => Math.min(Math.max(x, lo!), hi!),
  lower: (k, x, lo, hi) => minPropagating(k, maxPropagating(k, x!, lo!), hi!),
  gradient({ g, x: [x, lo, hi] }) {
    const zero = zeros(g);
    const over = less(hi!, x!);
    const under = and(less(x!, lo!), lessEqual(lo!, hi!));
    const top = where(over, g, where(less(hi!, lo!), g, zero));
    return [where(and(lessEqual(lo!, x!), lessEqual(x!, hi!)), g, zero), where(under, g, zero), top];
  },
  domain: [{ lo: -3, hi: 3 }, { lo: -1.5, hi: -0.5, ilo: -4, ihi: 0 }, { lo: 0.5, hi: 1.5, ilo: 1, ihi: 5 }],
  special: [
    [1, 1, 2],
    [2, 1, 2],
    [NaN, 0, 1],
    [0, NaN, 1],
    [0, 0, NaN],
    [Infinity, 0, 1],
    [-Infinity, 0, 1],
    [0.5, 1, 0],
  ],
});

const zeros = (like: Tensor): Tensor => full(like.shape, 0, like.dtype);

/**
 * a where the condition holds, b elsewhere, with broadcasting. One of a and b may be a number.
 *
 * The branch not taken gets zero, whatever flows. A function in it whose derivative is infinite there still makes NaN of
 * that zero: give it a harmless operand, as in `where(c, log(where(c, x, 1)), 0)`.
 *
 * @throws ShapeError when the condition is not bool or a and b differ in dtype.
 * @example
 * ```ts
 * import { greater, input, model, where } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ y: where(greater(x, 0), x, 0) }));
 * ```
 */
export function where<
  C extends Shape,
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  condition: Tensor<C, "bool">,
  a: (Tensor<A, D> & Fits<"where", C, A>) | number,
  b: Second<"where", A, D, B, E> & (Fits<"where", C, B> | number),
): Tensor<Both<C, Both<A, B>>, D | E> {
  return stretched("where", whereOp, [condition, a, b], 1) as Tensor<Both<C, Both<A, B>>, D | E>;
}

/**
 * min(max(x, lo), hi), with broadcasting; the bounds may be numbers. NaN stays NaN. The gradient passes at the bounds.
 *
 * @throws ShapeError for bool, for two dtypes, and for shapes that do not broadcast.
 * @example
 * ```ts
 * import { clamp, input, model } from "@weft/weft";
 *
 * model({ x: input([4], "f32"), top: input([4], "f32") }, ({ x, top }) => ({ y: clamp(x, -1, 1), z: clamp(x, 0, top) }));
 * ```
 */
export function clamp<
  S extends Shape,
  D extends DType,
  L extends Shape = readonly [],
  H extends Shape = readonly [],
>(
  x: Tensor<S, D>,
  lo: Bound<S, D, L>,
  hi: Bound<S, D, H>,
): Tensor<Both<S, Both<L, H>>, D> {
  return stretched("clamp", clampOp, [x, lo, hi], 0) as Tensor<Both<S, Both<L, H>>, D>;
}

/** A bound may be a number; a tensor has the dtype of what is clamped. */
type Bound<S extends Shape, D extends DType, B extends Shape> =
  | (Tensor<B, NoInfer<D>> & Fits<"clamp", S, B>)
  | number;

/** Operands from `first` on have one dtype, which numbers take; all stretch to one shape. */
function stretched(
  name: string,
  op: typeof whereOp,
  operands: readonly (Tensor | number)[],
  first: number,
): Tensor {
  const typed = operands.slice(first).find((x): x is Tensor => x instanceof Tensor);
  if (!typed) {
    throw new ShapeError(`${name}: at least one of the values must be a tensor; use full(shape, value)`);
  }
  const shape = operands.reduce<Shape>(
    (s, x) => x instanceof Tensor ? broadcastShapes(name, s, x.shape) : s,
    [],
  );
  return apply(
    op,
    operands.map((x) => broadcastTo(x instanceof Tensor ? x : scalar(x, typed.dtype, name), shape)),
    {},
  );
}
