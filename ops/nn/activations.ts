/**
 * Activations. Those with a cheap derivative of their own are ops, so that a gradient needs one tensor only: relu its
 * result (the pre-activation need not be kept), gelu and silu the pre-activation. The others are functions over ops.
 */

import * as real from "../../compiler/graph/real.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { exp, isNaNValue, log1p, maxPropagating } from "../../compiler/kernel/numerics.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import type { Values } from "../../compiler/kernel/values.ts";
import { unary } from "../elementwise/apply.ts";
import { add, div, mul, sub } from "../elementwise/arithmetic.ts";
import { greater } from "../elementwise/comparison.ts";
import { elementwise, floats, numeric, ulpOfExponential } from "../elementwise/define.ts";
import { expm1 } from "../elementwise/exponential.ts";
import { tanh } from "../elementwise/hyperbolic.ts";
import { clamp, where } from "../elementwise/select.ts";
import { full } from "../leaves.ts";

const ends = [[0], [20], [-20], [100], [-100], [Infinity], [NaN]];

export const reluOp = elementwise({
  name: "relu",
  arity: 1,
  dtypes: numeric,
  number: (x) => Math.max(x, 0),
  lower(k, x) {
    const positive = k.lt(0, x!);
    // Not a bare maximum, which loses NaN.
    return k.select(x!.type === "f32" ? k.or(positive, isNaNValue(k, x!)) : positive, x!, 0);
  },
  gradient: ({ g, y }) => [where(greater(y, 0), g, full(g.shape, 0, g.dtype))],
  domain: [{ lo: -3, hi: 3 }],
  special: [[0], [-0], [Infinity], [-Infinity], [NaN]],
});

/** 1 / (1 + e^−x): for x far below 0 the exponential is ∞ and the quotient 0, so it needs no cases. */
const logistic = (k: Values, x: Value): Value => k.div(1, k.add(exp(k, k.unary("neg", x)), 1));

export const sigmoidOp = elementwise({
  name: "sigmoid",
  arity: 1,
  dtypes: floats,
  number: (x) => x < 0 ? real.exp(x) / (1 + real.exp(x)) : 1 / (1 + real.exp(-x)),
  lower: (k, x) => logistic(k, x!),
  gradient: ({ g, y }) => [mul(g, mul(y, sub(1, y)))],
  domain: [{ lo: -5, hi: 5 }],
  special: [...ends, [-Infinity]],
  ulp: 6,
  builtinUlp: ulpOfExponential(4),
});

export const siluOp = elementwise({
  name: "silu",
  arity: 1,
  dtypes: floats,
  number: (x) => x < 0 ? (x * real.exp(x)) / (1 + real.exp(x)) : x / (1 + real.exp(-x)),
  lower: (k, x) => k.div(x!, k.add(exp(k, k.unary("neg", x!)), 1)),
  gradient({ g, x: [x] }) {
    const s = sigmoid(x!);
    return [mul(g, mul(s, add(mul(x!, sub(1, s)), 1)))];
  },
  domain: [{ lo: -5, hi: 5 }],
  special: ends,
  ulp: 6,
  builtinUlp: ulpOfExponential(8),
});

export const softplusOp = elementwise({
  name: "softplus",
  arity: 1,
  dtypes: floats,
  number: (x) => x > 40 ? x : real.log1p(real.exp(x)),
  lower: (k, x) => k.add(maxPropagating(k, x!, 0), log1p(k, exp(k, k.unary("neg", k.unary("abs", x!))))),
  gradient: ({ g, x: [x] }) => [mul(g, sigmoid(x!))],
  domain: [{ lo: -5, hi: 5 }],
  special: [...ends, [-Infinity]],
  ulp: 5,
  builtinUlp: ulpOfExponential(4),
});

/**
 * max(x, 0); NaN stays NaN, and the derivative at 0 is 0.
 *
 * @example
 * ```ts
 * import { input, leakyRelu, model, relu, softplus } from "@weft/weft";
 *
 * // [-1, 0, NaN, 2] becomes [0, 0, NaN, 2]; the derivative at 0 is 0.
 * model({ x: input([4], "f32") }, ({ x }) => ({ y: relu(x), leaky: leakyRelu(x, 0.2), soft: softplus(x) }));
 * ```
 */
export function relu<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(reluOp, x);
}

/** 1 / (1 + e^−x), right for large |x| too. */
export function sigmoid<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(sigmoidOp, x);
}

/**
 * x · sigmoid(x), also known as swish.
 *
 * @example
 * ```ts
 * import { input, model, mul, sigmoid, silu } from "@weft/weft";
 *
 * model({ x: input([4], "f32"), gate: input([4], "f32") }, ({ x, gate }) => ({ y: mul(silu(gate), x), p: sigmoid(x) }));
 * ```
 */
export function silu<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(siluOp, x);
}

/** log(1 + eˣ) = max(x, 0) + log1p(e^−|x|), without overflow. */
export function softplus<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return unary(softplusOp, x);
}

/** x above 0, slope · x below and at 0. */
export function leakyRelu<S extends Shape, D extends DType>(x: Tensor<S, D>, slope = 0.01): Tensor<S, D> {
  return where(greater(x, 0), x, mul(x, slope)) as Tensor<S, D>;
}

/**
 * x above 0, alpha · (eˣ − 1) below.
 *
 * @example
 * ```ts
 * import { elu, input, mish, model, selu } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ elu: elu(x), selu: selu(x), mish: mish(x) }));
 * ```
 */
export function elu<S extends Shape, D extends DType>(x: Tensor<S, D>, alpha = 1): Tensor<S, D> {
  const positive = greater(x, 0);
  // The exponential of a large x would be ∞, and ∞ times the zero that `where` sends it is NaN.
  return where(positive, x, mul(expm1(where(positive, 0, x)), alpha)) as Tensor<S, D>;
}

/** elu with the constants that keep mean 0 and variance 1 through layers (Klambauer et al., 2017). */
export function selu<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return mul(elu(x, 1.6732632423543772), 1.0507009873554805);
}

/** x · tanh(softplus(x)) (Misra, 2019). */
export function mish<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return mul(x, tanh(softplus(x))) as Tensor<S, D>;
}

/** clamp(x + 3, 0, 6) / 6. */
export function hardSigmoid<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return div(clamp(add(x, 3), 0, 6), 6);
}

/**
 * x · hardSigmoid(x).
 *
 * @example
 * ```ts
 * import { hardSigmoid, hardSwish, input, model } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ gate: hardSigmoid(x), y: hardSwish(x) }));
 * ```
 */
export function hardSwish<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return mul(x, hardSigmoid(x)) as Tensor<S, D>;
}
