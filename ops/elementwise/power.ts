import * as real from "../../compiler/graph/real.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { type DType, isInteger } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { Tensor } from "../../compiler/graph/node.ts";
import type { Both, First, Second } from "../../compiler/model/shape_types.ts";
import { pow as powValue } from "../../compiler/kernel/numerics.ts";
import { constantOp, full } from "../leaves.ts";
import { binary } from "./apply.ts";
import { mul, square, sub } from "./arithmetic.ts";
import { equal } from "./comparison.ts";
import { elementwise, floats } from "./define.ts";
import { log } from "./exponential.ts";
import { where } from "./select.ts";

/** The one number that a tensor holds everywhere, if it is known while compiling. */
function constantOf(x: Tensor): number | undefined {
  let node = x.node;
  while (node.op.name === "broadcastTo") node = node.inputs[0]!.node;
  if (node.op.name !== constantOp.name || node.attrs.data.values.length !== 1) return undefined;
  return node.attrs.data.values[0];
}

/** As Math.pow, but 1 to any power is 1 (IEEE 754's pow; JavaScript says NaN for 1^∞ and 1^NaN). */
const power64 = (x: number, y: number): number =>
  x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : real.pow(x, y);

export const powOp = elementwise({
  name: "pow",
  arity: 2,
  dtypes: floats,
  number: power64,
  lower: (k, x, y) => powValue(k, x!, y!),
  gradient({ g, x: [x, y], y: result }) {
    const zero = full(g.shape, 0, g.dtype);
    const n = constantOf(y!);
    if (n !== undefined) return [n === 0 ? zero : mul(mul(g, n), pow(x!, n - 1)), null];
    // y·x^(y−1) is 0 for y = 0, also at x = 0 where the power is infinite. xʸ·log x is 0 at x = 0.
    const toBase = where(equal(y!, 0), zero, mul(g, mul(y!, pow(x!, sub(y!, 1)))));
    const toExponent = where(equal(x!, 0), zero, mul(g, mul(result, log(x!))));
    return [toBase, toExponent];
  },
  domain: [{ lo: 0.3, hi: 3 }, { lo: -3, hi: 3 }],
  special: [
    [0, 0],
    [NaN, 0],
    [1, NaN],
    [0, 2.5],
    [0, -1.5],
    [-2, 3],
    [-2, 2],
    [-2, 0.5],
    [2, 10],
    [10, 40],
    [10, -40],
    [Infinity, 2.5],
    [Infinity, -1.5],
    [2, Infinity],
    [0.5, Infinity],
    [2, -Infinity],
    [NaN, 2],
    [2, NaN],
  ],
  ulp: 8,
});

/**
 * xʸ, with broadcasting; one side may be a number. 0⁰ = 1; a negative x has powers for integral y only.
 *
 * For integers y must be a number ≥ 0, and the result wraps.
 *
 * @throws ShapeError for integers with a negative or unknown exponent.
 * @example
 * ```ts
 * import { input, model, pow } from "@weft/weft";
 *
 * model({ x: input([3], "f32") }, ({ x }) => ({ cube: pow(x, 3), powers: pow(2, x) }));
 * ```
 */
export function pow<
  A extends Shape = readonly [],
  D extends DType = never,
  B extends Shape = readonly [],
  E extends DType = never,
>(
  x: First<A, D>,
  y: Second<"pow", A, D, B, E>,
): Tensor<Both<A, B>, D | E> {
  return power(x, y) as Tensor<Both<A, B>, D | E>;
}

function power(x: Tensor | number, y: Tensor | number): Tensor {
  if (x instanceof Tensor) {
    if (isInteger(x.dtype)) return integerPower(x, y);
    if (y === 1) return x;
    if (y === 2) return square(x);
  }
  return binary(powOp, x, y);
}

function integerPower<S extends Shape, D extends DType>(x: Tensor<S, D>, y: Tensor | number): Tensor<S, D> {
  if (typeof y !== "number" || !Number.isInteger(y) || y < 0) {
    throw new ShapeError(
      `pow: an integer needs an exponent that is a number ≥ 0, got ${y}; use cast(x, "f32") for other powers`,
    );
  }
  let result: Tensor<S, D> | undefined;
  let base = x;
  for (let rest = y; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = result ? mul(result, base) as Tensor<S, D> : base;
    if (rest > 1) base = square(base);
  }
  return result ?? full(x.shape, 1, x.dtype);
}
