/**
 * gelu and its tanh form: ops, so that the gradient needs the pre-activation only. Value and gradient of each contain one
 * exponential.
 */

import * as real from "../../compiler/graph/real.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { exp, normal } from "../../compiler/kernel/numerics.ts";
import { unary } from "../elementwise/apply.ts";
import { add, mul, square, sub } from "../elementwise/arithmetic.ts";
import { elementwise, floats } from "../elementwise/define.ts";
import { normalCdf, normalDensity } from "../elementwise/normal.ts";
import { erfc64 } from "../elementwise/reference/error_function.ts";
import { sigmoid } from "./activations.ts";

const special = [[0], [5], [-5], [12], [-9], [100], [-100], [NaN]];

export const geluOp = elementwise({
  name: "gelu",
  arity: 1,
  dtypes: floats,
  number: (x) => x * erfc64(-x / Math.SQRT2) / 2,
  lower: (k, x) => k.mul(x!, normal(k, x!).cdf),
  gradient: ({ g, x: [x] }) => [mul(g, add(normalCdf(x!), mul(x!, normalDensity(x!))))],
  domain: [{ lo: -4, hi: 4 }],
  special,
  ulp: 11,
});

/** √(8/π) and the coefficient of x³: tanh u = 2·sigmoid(2u) − 1 turns the tanh form into x·sigmoid(v), v = 2u. */
const scale = Math.sqrt(8 / Math.PI);
const cubic = 0.044715;

export const geluTanhOp = elementwise({
  name: "geluTanh",
  arity: 1,
  dtypes: floats,
  number: (x) => x / (1 + real.exp(-scale * (x + cubic * x * x * x))),
  lower(k, x) {
    const negative = k.mul(k.mul(x!, -scale), k.add(k.mul(k.mul(x!, x!), cubic), 1));
    return k.div(x!, k.add(exp(k, negative), 1));
  },
  gradient({ g, x: [x] }) {
    // s + x·s·(1 − s)·v′ with s = sigmoid(v).
    const x2 = square(x!);
    const s = sigmoid(mul(mul(x!, scale), add(mul(x2, cubic), 1)));
    const slope = add(mul(x2, 3 * cubic * scale), scale);
    return [mul(g, mul(s, add(mul(mul(x!, sub(1, s)), slope), 1)))];
  },
  domain: [{ lo: -4, hi: 4 }],
  special,
  // Roundings of v, up to 87, are amplified by v in the far tail.
  ulp: 160,
});

/**
 * x · Φ(x), with Φ the cumulative normal distribution.
 *
 * @param approximate "tanh" for the form of GPT-2, 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))): cheaper, and different in
 * the fourth digit.
 * @example
 * ```ts
 * import { gelu, input, model } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ exact: gelu(x), cheap: gelu(x, "tanh") }));
 * ```
 */
export function gelu<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  approximate: "none" | "tanh" = "none",
): Tensor<S, D> {
  return unary(approximate === "tanh" ? geluTanhOp : geluOp, x);
}
