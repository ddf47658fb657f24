import assert from "node:assert/strict";
import { gradient } from "../../../compiler/autodiff/gradient.ts";
import type { DType } from "../../../compiler/graph/dtype.ts";
import type { Shape } from "../../../compiler/graph/dim.ts";
import type { Tensor } from "../../../compiler/graph/node.ts";
import * as ops from "../../../ops/mod.ts";
import { evaluate, feed, graph } from "./host.ts";

type Unary = (x: Tensor<Shape, "f32">) => Tensor;

/** y and ∂Σy/∂x of a function of one vector. */
function valueAndSlope(f: Unary, x: readonly number[]): { y: number[]; slope: number[] } {
  const [y, slope] = evaluate(() => {
    const t = feed("x", [x.length]);
    const out = f(t);
    return [out, ...gradient(ops.sum(out) as Tensor, [t])];
  }, { x });
  return { y: y!, slope: slope! };
}

const slopeOf = (f: Unary, x: readonly number[]): number[] => valueAndSlope(f, x).slope;

/** ∂Σf(a, b)/∂a and ∂/∂b at one pair of numbers. */
function slopes2(f: (a: Tensor, b: Tensor) => Tensor, a: number, b: number): number[] {
  return evaluate(() => {
    const [p, q] = [feed("a", []), feed("b", [])];
    return gradient(f(p, q), [p, q]);
  }, { a: [a], b: [b] }).flat();
}

function near(got: readonly number[], want: readonly number[], message = "numbers"): void {
  assert.equal(got.length, want.length, message);
  got.forEach((x, i) => {
    const fits = Object.is(x + 0, want[i]! + 0) ||
      Math.abs(x - want[i]!) <= 1e-6 * Math.max(1e-3, Math.abs(want[i]!));
    assert.ok(fits, `${message} [${i}]: ${x}, not ${want[i]}`);
  });
}

// SEMANTICS §8: "relu′(0) = |·|′(0) = 0".
Deno.test("relu() and abs() have slope 0 at 0, and relu() keeps NaN", () => {
  assert.deepEqual(slopeOf(ops.relu, [-1, 0, 2]), [0, 0, 1]);
  assert.deepEqual(slopeOf(ops.abs, [-1, 0, 2]), [-1, 0, 1]);
  assert.deepEqual(valueAndSlope(ops.relu, [NaN]), { y: [NaN], slope: [0] });
});

// SEMANTICS §8: "ties in max/min share equally".
Deno.test("ties in maximum(), minimum(), max(), min() and cummax() share the gradient equally", () => {
  for (const f of [ops.maximum, ops.minimum]) assert.deepEqual(slopes2(f as never, 2, 2), [0.5, 0.5]);
  assert.deepEqual(slopes2(ops.maximum as never, 1, 2), [0, 1]);
  assert.deepEqual(slopes2(ops.minimum as never, 1, 2), [1, 0]);
  near(slopeOf((x) => ops.max(x), [3, 1, 3, 3]), [1 / 3, 0, 1 / 3, 1 / 3]);
  near(slopeOf((x) => ops.min(x), [3, 1, 3, 1]), [0, 0.5, 0, 0.5]);
  near(slopeOf((x) => ops.cummax(x), [1, 3, 2, 3]), [1, 2.5, 0, 0.5]);
});

// SEMANTICS §8: "clamp passes at its bounds".
Deno.test("clamp() passes its gradient at the bounds and to the bound that holds", () => {
  assert.deepEqual(slopeOf((x) => ops.clamp(x, -1, 1), [-2, -1, 0, 1, 2]), [0, 1, 1, 1, 0]);
  const [lo, hi] = evaluate(() => {
    const [x, a, b] = [feed("x", [3]), feed("a", []), feed("b", [])];
    return gradient(ops.sum(ops.clamp(x, a, b)) as Tensor, [a, b]);
  }, { x: [-5, 0, 5], a: [-1], b: [1] });
  assert.deepEqual([lo, hi], [[1], [1]]);
});

// SEMANTICS §8: "`where` sends zero, not 0 · ∞, to the branch not taken".
Deno.test("where() sends zero to the branch not taken, whatever flows", () => {
  const flows = evaluate(() => {
    const [a, b, seed] = [feed("a", [2]), feed("b", [2]), feed("seed", [2])];
    return gradient(ops.where(ops.less(a, b), a, b) as Tensor, [a, b], seed);
  }, { a: [1, 4], b: [2, 3], seed: [Infinity, NaN] });
  assert.deepEqual(flows, [[Infinity, 0], [0, NaN]]);
  assert.deepEqual(slopeOf((x) => ops.elu(x), [1000, 0]), [1, 1]);
  near(slopeOf((x) => ops.leakyRelu(x, 0.25), [1e38, 0, -1]), [1, 0.25, 0.25]);
});

Deno.test("pow() has the slopes of its powers at 0 and for negative bases", () => {
  near(slopeOf((x) => ops.pow(x, 3), [-2, 0, 2]), [12, 0, 12]);
  near(slopeOf((x) => ops.pow(x, 2), [-2, 0]), [-4, 0]);
  near(slopeOf((x) => ops.pow(x, 0), [-2, 0]), [0, 0]);
  near(slopes2(ops.pow as never, 2, 3), [12, 8 * Math.log(2)]);
  near(slopes2(ops.pow as never, 0, 0), [0, 0]);
  near(slopes2(ops.pow as never, 0, 2), [0, 0]);
});

Deno.test("prod() and cumprod() have the right gradient where elements are 0", () => {
  near(slopeOf((x) => ops.prod(x), [2, 0, 5]), [0, 10, 0]);
  near(slopeOf((x) => ops.prod(x), [0, 0, 5]), [0, 0, 0]);
  near(slopeOf((x) => ops.cumprod(x), [2, 0, 5]), [1, 12, 0]);
});

Deno.test("norm() neither overflows nor has a NaN gradient at the zero vector", () => {
  near(valueAndSlope((x) => ops.norm(x), [3e30, 4e30]).y, [5e30]);
  near(valueAndSlope((x) => ops.norm(x), [0, 0]).slope, [0, 0]);
  near(valueAndSlope((x) => ops.norm(x), [3, -4]).slope, [0.6, -0.8]);
  near(valueAndSlope((x) => ops.norm(x, -1, { order: 1 }), [3, -4]).y, [7]);
  near(valueAndSlope((x) => ops.norm(x, -1, { order: Infinity }), [3, -4]).y, [4]);
  near(valueAndSlope((x) => ops.norm(x), [Infinity, 1]).y, [Infinity]);
  near(valueAndSlope((x) => ops.norm(x), [NaN, 1]).y, [NaN]);
});

Deno.test("mean() and variance() are those of statistics, and NaN where there is nothing", () => {
  near(valueAndSlope((x) => ops.variance(x), [1, 2, 3, 6]).y, [3.5]);
  near(valueAndSlope((x) => ops.variance(x, 0, { correction: 1 }), [1, 2, 3, 6]).y, [14 / 3]);
  near(slopeOf((x) => ops.variance(x), [1, 2, 3, 6]), [-1, -0.5, 0, 1.5]);
  near(evaluate(() => [ops.mean(feed("x", [2, 0]), 1)], { x: [] })[0]!, [NaN, NaN]);
});

Deno.test("activations are what their papers say, far from 0 too", () => {
  const xs = [-200, -20, -3, -1, -0.1, 0, 0.1, 1, 3, 20, 200];
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  const hard = (x: number) => Math.min(Math.max(x + 3, 0), 6) / 6;
  const elu = (x: number) => x > 0 ? x : Math.expm1(x);
  const cases: readonly (readonly [string, Unary, (x: number) => number])[] = [
    ["sigmoid", ops.sigmoid, sigmoid],
    ["softplus", ops.softplus, softplus],
    ["silu", ops.silu, (x) => x * sigmoid(x)],
    ["elu", ops.elu, elu],
    ["selu", ops.selu, (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x))],
    ["mish", ops.mish, (x) => x * Math.tanh(softplus(x))],
    ["hardSigmoid", ops.hardSigmoid, hard],
    ["hardSwish", ops.hardSwish, (x) => x * hard(x)],
    ["leakyRelu", ops.leakyRelu, (x) => x > 0 ? x : 0.01 * x],
    [
      "gelu tanh",
      (x) => ops.gelu(x, "tanh"),
      (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    ],
  ];
  for (const [name, f, meaning] of cases) {
    const { y, slope } = valueAndSlope(f, xs);
    near(y, xs.map(meaning), name);
    assert.ok(slope.every(Number.isFinite), `${name} has slopes ${slope}`);
  }
});

Deno.test("a number may stand on either side, and takes the tensor's dtype", () => {
  const [a, b, c, d] = evaluate(() => {
    const x = feed("x", [3]);
    const n = feed("n", [3], "i32");
    return [ops.sub(1, x), ops.div(6, x), ops.maximum(2, n), ops.less(2, n)];
  }, { x: [1, 2, 3], n: [1, 2, 3] });
  assert.deepEqual([a, b, c, d], [[0, -1, -2], [6, 3, 2], [2, 2, 3], [0, 0, 1]]);
});

Deno.test("operands that do not fit are refused with what to do instead", () => {
  graph(() => {
    const x: Tensor = feed("x", [3]);
    const n: Tensor = feed("n", [3], "i32" as DType);
    const b: Tensor = feed("b", [3], "bool" as DType);
    const refused = (f: () => unknown, message: RegExp) => assert.throws(f, message);
    refused(() => ops.add(x as never, n as never), /add: .*cast/s);
    refused(() => ops.add(n as never, 1.5 as never), /add: 1.5 is not a number of type i32/);
    refused(() => ops.exp(n), /exp: is defined for f32, f16, not for i32\[3\]; use cast/);
    refused(() => ops.where(x as never, x as never, x as never), /where: the condition is f32.*must be bool/);
    refused(() => ops.max(b), /max: bool has no order; use any/);
    refused(() => ops.any(x as never), /any: takes bool, not f32\[3\]/);
    refused(() => ops.mean(n), /mean: of i32.*cast/);
    refused(() => ops.pow(n as never, -1), /pow: an integer needs an exponent that is a number ≥ 0/);
    refused(() => ops.argmax(feed("e", [2, 0])), /argmax: axis 1 of \[2, 0\] is empty/);
    refused(() => ops.bitcast(b, "i32"), /bitcast: from bool to i32; only f32, i32 and u32/);
    refused(
      () => gradient(ops.sum(ops.bitcast(ops.bitcast(x, "i32"), "f32")) as Tensor, [x]),
      /bitcast has no gradient/,
    );
  });
});
