/**
 * gelu and its tanh form. Each is an op whose derivative is an op too: gradient and value share one exponential, and the
 * gradient needs the pre-activation only.
 */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { exp, keepNaN, normal } from "../../compiler/kernel/numerics.ts";
import type { Value, Values } from "../../compiler/kernel/value.ts";
import { unary } from "../elementwise/apply.ts";
import { add, mul, square, sub } from "../elementwise/arithmetic.ts";
import { elementwise, floats } from "../elementwise/define.ts";
import { exp as expOf } from "../elementwise/exponential.ts";
import { erfc64 } from "../elementwise/reference/error_function.ts";
import { sigmoid } from "./activations.ts";

const special = [[0], [5], [-5], [12], [-9], [100], [-100], [NaN]];
const rootTwoPi = Math.sqrt(2 * Math.PI);
const cdf64 = (x: number): number => erfc64(-x / Math.SQRT2) / 2;

export const geluOp = elementwise({
  name: "gelu",
  arity: 1,
  dtypes: floats,
  number: (x) => x * cdf64(x),
  lower: (k, x) => k.mul(x!, normal(k, x!).cdf),
  gradient: ({ g, x: [x] }) => [mul(g, unary(geluSlopeOp, x!))],
  domain: [{ lo: -4, hi: 4 }],
  special,
  ulp: 10,
});

/** The derivative Φ(x) + x·φ(x). */
export const geluSlopeOp = elementwise({
  name: "geluSlope",
  arity: 1,
  dtypes: floats,
  number: (x) => cdf64(x) + (x * Math.exp(-x * x / 2)) / rootTwoPi,
  lower(k, x) {
    const { cdf, density } = normal(k, x!);
    return k.add(cdf, k.mul(x!, density));
  },
  gradient: ({ g, x: [x] }) => [
    mul(g, mul(mul(sub(2, square(x!)), expOf(mul(square(x!), -0.5))), 1 / rootTwoPi)),
  ],
  // Around −0.75 both parts cancel.
  domain: [{ lo: -0.6, hi: 4 }],
  special: [[0], [5], [12], [100], [NaN]],
  ulp: 16,
});

/** √(8/π) and the coefficient of x³: tanh u = 2·sigmoid(2u) − 1 turns the tanh form into x·sigmoid(v). */
const scale = Math.sqrt(8 / Math.PI);
const cubic = 0.044715;

/** v = scale · (x + cubic · x³), its derivative, and e^−v. */
function inner(k: Values, x: Value): { slope: Value; e: Value } {
  const square = k.mul(x, x);
  const v = k.mul(k.mul(x, scale), k.add(k.mul(square, cubic), 1));
  return {
    slope: k.mul(k.add(k.mul(square, 3 * cubic), 1), scale),
    e: exp(k, k.unary("neg", v)),
  };
}

export const geluTanhOp = elementwise({
  name: "geluTanh",
  arity: 1,
  dtypes: floats,
  number: (x) => x / (1 + Math.exp(-scale * (x + cubic * x ** 3))),
  lower: (k, x) => k.div(x!, k.add(inner(k, x!).e, 1)),
  gradient: ({ g, x: [x] }) => [mul(g, unary(geluTanhSlopeOp, x!))],
  domain: [{ lo: -4, hi: 4 }],
  special,
  // Roundings of v, up to 87, are amplified by v in the far tail.
  ulp: 160,
});

/** The derivative s + x·s·(1 − s)·v′ with s = sigmoid(v). */
export const geluTanhSlopeOp = elementwise({
  name: "geluTanhSlope",
  arity: 1,
  dtypes: floats,
  number(x) {
    const t = Math.tanh((scale / 2) * (x + cubic * x ** 3));
    return (1 + t) / 2 + (x / 2) * (1 - t * t) * (scale / 2) * (1 + 3 * cubic * x * x);
  },
  lower(k, x) {
    // The exponential is that of −|v|, so that it never meets the square of x as ∞ · 0.
    const bounded = k.binary("min", k.unary("abs", x!), 12);
    const { slope, e } = inner(k, bounded);
    const s = k.div(1, k.add(e, 1)); // sigmoid |v|; that of −|v| is e·s
    const bump = k.mul(k.mul(bounded, slope), k.mul(e, k.mul(s, s)));
    const value = k.select(k.lt(x!, 0), k.sub(k.mul(e, s), bump), k.add(s, bump));
    return keepNaN(k, x!, value);
  },
  gradient({ g, x: [x] }) {
    const x2 = square(x!);
    const v = mul(mul(x!, scale), add(mul(x2, cubic), 1));
    const v1 = mul(add(mul(x2, 3 * cubic), 1), scale);
    const s = sigmoid(v);
    const s1 = mul(s, sub(1, s));
    const curve = mul(x!, 6 * cubic * scale); // v″
    const first = mul(s1, add(mul(v1, 2), mul(x!, curve)));
    const second = mul(mul(x!, mul(s1, sub(1, mul(s, 2)))), square(v1));
    return [mul(g, add(first, second))];
  },
  domain: [{ lo: -0.6, hi: 4 }],
  special: [[0], [5], [12], [100], [NaN]],
  ulp: 160,
});

/**
 * x · Φ(x), with Φ the cumulative normal distribution.
 *
 * @param approximate "tanh" for the form of GPT-2, 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))): cheaper, and different in
 * the fourth digit.
 */
export function gelu<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  approximate: "none" | "tanh" = "none",
): Tensor<S, D> {
  return unary(approximate === "tanh" ? geluTanhOp : geluOp, x);
}
