import assert from "node:assert/strict";
import * as numerics from "../../../compiler/kernel/numerics.ts";
import { type Value, type Var } from "../../../compiler/kernel/value.ts";
import { Values } from "../../../compiler/kernel/values.ts";
import { erf64, erfc64 } from "../../../ops/elementwise/reference/error_function.ts";
import { ValueEvaluator } from "../../../runtime/check_op/value_evaluator.ts";

type Expansion = (k: Values, x: Value) => Value;
type Range = readonly [lo: number, hi: number];

const normalCdf = (x: number): number => erfc64(-x / Math.SQRT2) / 2;
const normalDensity = (x: number): number => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
const powerOf = (y: number): Expansion => (k, x) => numerics.pow(k, x, k.const(y));

/** Name, expansion, meaning, bound in ULP (as the docstrings state it), and where it holds. */
const functions: readonly (readonly [string, Expansion, (x: number) => number, number, readonly Range[]])[] =
  [
    ["exp", numerics.exp, Math.exp, 1.2, [[-1, 1], [-87.3, 88.72]]],
    ["exp2", numerics.exp2, (x) => 2 ** x, 1.2, [[-1, 1], [-126, 127.99]]],
    ["expm1", numerics.expm1, Math.expm1, 2, [[-1, 1], [-1e-3, 1e-3], [-20, 88.7]]],
    ["log", numerics.log, Math.log, 1, [[0.5, 2], [0.95, 1.05], [1e-37, 1], [1, 3e38]]],
    ["log2", numerics.log2, Math.log2, 2.2, [[0.5, 2], [0.95, 1.05], [1e-37, 1], [1, 3e38]]],
    ["log1p", numerics.log1p, Math.log1p, 2.6, [[-0.999, 2], [-1e-3, 1e-3], [1, 3e38]]],
    ["sin", numerics.sin, Math.sin, 2.5, [[-4, 4], [-12867, 12867]]],
    ["cos", numerics.cos, Math.cos, 2.5, [[-4, 4], [-12867, 12867]]],
    ["tan", numerics.tan, Math.tan, 4, [[-4, 4], [-12867, 12867]]],
    ["asin", numerics.asin, Math.asin, 3, [[-1, 1], [-1e-3, 1e-3]]],
    ["acos", numerics.acos, Math.acos, 3, [[-1, 1], [0.999, 1]]],
    ["atan", numerics.atan, Math.atan, 3, [[-3, 3], [-1e-3, 1e-3], [1, 1e8]]],
    ["sinh", numerics.sinh, Math.sinh, 3, [[-3, 3], [-1e-3, 1e-3], [-89.4, 89.4]]],
    ["cosh", numerics.cosh, Math.cosh, 3, [[-3, 3], [-89.4, 89.4]]],
    ["tanh", numerics.tanh, Math.tanh, 3, [[-2, 2], [-1e-3, 1e-3], [-20, 20]]],
    ["asinh", numerics.asinh, Math.asinh, 4, [[-3, 3], [-1e-3, 1e-3], [1, 3e38]]],
    ["acosh", numerics.acosh, Math.acosh, 4, [[1, 3], [1, 1.001], [1, 3e38]]],
    ["atanh", numerics.atanh, Math.atanh, 4, [[-1, 1], [-1e-3, 1e-3]]],
    ["erf", numerics.erf, erf64, 1.5, [[-4, 4], [0.9, 1.1], [-1e-3, 1e-3]]],
    ["erfc", numerics.erfc, erfc64, 6, [[-4, 4], [0.4, 9.19]]],
    ["normal.cdf", (k, x) => numerics.normal(k, x).cdf, normalCdf, 8, [[-4, 4], [-12.8, 5]]],
    ["normal.density", (k, x) => numerics.normal(k, x).density, normalDensity, 2.5, [[-4, 4], [-12.8, 12.8]]],
    ["pow 2.7", powerOf(2.7), (x) => x ** Math.fround(2.7), 8, [[0.3, 3], [1e-10, 1e10]]],
    ["pow -3", powerOf(-3), (x) => x ** -3, 2.5, [[-3, -0.3], [0.3, 3]]],
    ["pow x", (k, x) => numerics.pow(k, x, x), (x) => x ** x, 8, [[0.1, 25]]],
  ];

/** Evenly spaced, or by magnitude where the range spans decades. */
function points([lo, hi]: Range, count: number): Float32Array {
  const decades = lo > 0 && hi / lo > 100;
  return Float32Array.from({ length: count }, (_, i) => {
    const t = (i + 0.37) / count;
    return decades ? lo * (hi / lo) ** t : lo + t * (hi - lo);
  });
}

function evaluate(expansion: Expansion, xs: Float32Array, fused: boolean): Float64Array {
  const k = new Values();
  const v = k.var(xs.length, 0) as Var;
  const y = expansion(k, k.load({ name: "x", dtype: "f32", size: xs.length }, v));
  return new ValueEvaluator(xs.length, new Map([[v, xs.map((_, i) => i)]]), new Map([["x", xs]]), fused).of(
    y,
  );
}

/** The distance to the exact result in units of its last place. */
function ulps(got: number, want: number): number {
  if (Object.is(got, want)) return 0;
  if (!Number.isFinite(want) || !Number.isFinite(got)) {
    return Object.is(got, Math.fround(want)) ? 0 : Infinity;
  }
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(want))));
  return Math.abs(got - want) / 2 ** (exponent - 23);
}

for (const fused of [false, true]) {
  Deno.test(`numerics stay within their bounds when products and sums are ${fused ? "" : "not "}fused`, () => {
    for (const [name, expansion, meaning, bound, ranges] of functions) {
      for (const range of ranges) {
        const xs = points(range, 5000);
        const got = evaluate(expansion, xs, fused);
        let worst = 0;
        let at = 0;
        xs.forEach((x, i) => {
          const error = ulps(got[i]!, meaning(x));
          if (!(error <= worst)) [worst, at] = [error, x];
        });
        assert.ok(
          worst <= bound,
          `${name}(${at}) is off by ${worst} ULP; the bound on [${range}] is ${bound}`,
        );
      }
    }
  });
}

const { fround } = Math;

Deno.test("numerics give NaN, infinities and zeros where IEEE 754 does", () => {
  const special = Float32Array.of(
    0,
    1,
    -1,
    2,
    -2,
    1e-6,
    -1e-6,
    100,
    -100,
    3e38,
    -3e38,
    Infinity,
    -Infinity,
    NaN,
  );
  for (const [name, expansion, meaning] of functions) {
    if (name === "pow x") continue; // its own test below
    const turning = name === "sin" || name === "cos" || name === "tan";
    evaluate(expansion, special, false).forEach((got, i) => {
      const x = special[i]!;
      if (turning && Math.abs(x) > 1e5 && Number.isFinite(x)) return;
      const want = fround(meaning(x));
      const tiny = Math.abs(want) < 1.2e-38; // subnormal results may be 0
      const near = tiny ? Math.abs(got) < 1.2e-38 : Object.is(got, want) || ulps(got, want) <= 16;
      assert.ok(near, `${name}(${x}) is ${got} and should be ${want}`);
    });
  }
});

/** A function of two constants, at one lane. */
function at2(f: (k: Values, a: Value, b: Value) => Value, a: number, b: number): number {
  const k = new Values();
  const load = (name: string) => k.load({ name, dtype: "f32", size: 1 }, k.int(0));
  const buffers = new Map([["a", [fround(a)]], ["b", [fround(b)]]]);
  return new ValueEvaluator(1, new Map(), buffers).of(f(k, load("a"), load("b")))[0]!;
}

Deno.test("pow() follows IEEE 754 at its special cases", () => {
  const cases = [
    [0, 0, 1],
    [NaN, 0, 1],
    [1, NaN, 1],
    [1, Infinity, 1],
    [-1, Infinity, 1],
    [NaN, 1, NaN],
    [2, NaN, NaN],
    [0, 2, 0],
    [0, -2, Infinity],
    [-2, 3, -8],
    [-2, 2, 4],
    [-2, 0.5, NaN],
    [-Infinity, 3, -Infinity],
    [-Infinity, 0.5, Infinity],
    [-Infinity, -1.5, 0],
    [Infinity, 2.5, Infinity],
    [Infinity, -2.5, 0],
    [2, Infinity, Infinity],
    [2, -Infinity, 0],
    [0.5, Infinity, 0],
    [10, 39, Infinity],
    [10, -46, 0],
    [2, 127, 2 ** 127],
  ] as const;
  for (const [x, y, want] of cases) {
    const got = at2(numerics.pow, x, y);
    assert.ok(
      got === want || (Number.isNaN(got) && Number.isNaN(want)),
      `${x} ** ${y} is ${got}, not ${want}`,
    );
  }
});

Deno.test("rem() and floorMod() are exact below quotients of 2^20, with the signs of a and b", () => {
  const numbers = [7.5, 6, 1e5, 0.3, 123456.7, 1, 1e-3, 99999.99].flatMap((x) => [fround(x), -fround(x)]);
  for (const a of numbers) {
    for (const b of [2, 0.7, 3, 1.1, 0.3, -2, -0.7, Infinity].map(fround)) {
      assert.equal(at2(numerics.rem, a, b) + 0, a % b + 0, `${a} rem ${b}`);
      const floored = at2(numerics.floorMod, a, b);
      const want = a % b !== 0 && (a < 0) !== (b < 0) ? fround(a % b + b) : a % b;
      assert.equal(floored + 0, want + 0, `${a} floorMod ${b}`);
    }
  }
  for (const [a, b] of [[1, 0], [Infinity, 2], [NaN, 1], [1, NaN]] as const) {
    assert.ok(Number.isNaN(at2(numerics.rem, a, b)), `${a} rem ${b}`);
  }
});

Deno.test("maxPropagating(), minPropagating() and copySign() keep NaN and signs", () => {
  for (const [a, b] of [[NaN, 1], [1, NaN], [NaN, NaN]] as const) {
    assert.ok(Number.isNaN(at2(numerics.maxPropagating, a, b)));
    assert.ok(Number.isNaN(at2(numerics.minPropagating, a, b)));
  }
  assert.equal(at2(numerics.maxPropagating, -Infinity, 2), 2);
  assert.equal(at2(numerics.minPropagating, -Infinity, 2), -Infinity);
  assert.equal(at2(numerics.copySign, 3, -0), -3);
  assert.equal(at2(numerics.copySign, -3, 2), 3);
});
