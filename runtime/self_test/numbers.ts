/**
 * Checks of an adapter's float arithmetic where WGSL leaves freedom or drivers are known to differ. A "no" here is
 * mostly no fault of the driver; it says that a kernel needs its own expansion to mean what SEMANTICS promises.
 * @module
 */

import type { Check, Finding } from "./check.ts";
import { evaluate, runProbe } from "./probe.ts";

const NAN_BITS = 0x7fc00001;
const INFINITY_BITS = 0x7f800000;

export const NUMBER_CHECKS = {
  nanBits: {
    means: "A bit test tells NaN from every other number, infinity among them.",
    async ask({ device }): Promise<Finding> {
      const inputs = new Uint32Array([NAN_BITS, 0xffc00000, INFINITY_BITS, 0xff800000, 0x3f800000, 0]);
      const found = await runProbe(device, {
        body: `let x = bitcast<f32>(inp[i]);
          out[i] = select(0u, 1u, (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u);`,
        input: inputs,
        outputWords: inputs.length,
        workgroups: inputs.length,
      });
      return {
        ok: String([...found]) === "1,1,0,0,0,0",
        saw: `for NaN −NaN ∞ −∞ 1 0: ${[...found].join(" ")}`,
      };
    },
  },
  nanUnequal: {
    means: "NaN differs from itself, so that x != x finds it.",
    ask: ({ device }) => expectValues(device, "select(0.0, 1.0, x != x)", [[NaN, 0, 1], [1, 0, 0]]),
  },
  maxKeepsNan: {
    means: "max and min give NaN when either operand is NaN.",
    ask: ({ device }) =>
      expectValues(device, "max(x, y) + min(x, y)", [[NaN, 1, NaN], [1, NaN, NaN], [1, 2, 3]]),
  },
  infinityMinusInfinity: {
    means: "Infinity minus infinity is NaN, also where a compiler sees that both are one value.",
    ask: ({ device }) =>
      expectValues(device, "(x - y) + (x - x)", [[Infinity, Infinity, NaN], [Infinity, 1, NaN]]),
  },
  infinityTimesZero: {
    means: "Infinity times zero is NaN.",
    ask: ({ device }) => expectValues(device, "x * y", [[Infinity, 0, NaN], [0, -Infinity, NaN]]),
  },
  tanhLarge: {
    means: "tanh of large arguments is ±1, not NaN.",
    ask: ({ device }) => expectValues(device, "tanh(x)", [[100, 0, 1], [-100, 0, -1], [20, 0, 1]]),
  },
  tanhSmall: {
    means: "tanh has a small relative error near zero, as well as an absolute one.",
    ask: ({ device }) => expectRelative(device, "tanh(x)", Math.tanh, [1e-6, -1e-6, 1e-3, 0.1], 1e-5),
  },
  logOfZero: {
    means: "log(0) is −∞.",
    ask: ({ device }) => expectValues(device, "log(x)", [[0, 0, -Infinity]]),
  },
  logNearOne: {
    means: "log(x) has a small relative error near one, so that log(1 + x) only loses what the sum has lost.",
    ask: ({ device }) =>
      expectRelative(device, "log(x)", Math.log, [1 + 2 ** -23, 1 + 2 ** -20, 1.001], 1e-5),
  },
  exp: {
    means:
      "exp is within 3 + |x| ULP, infinite above its range, 0 below it and NaN of NaN; WGSL allows 3 + 2·|x|, and leaves NaN open.",
    async ask({ device }): Promise<Finding> {
      const beyond = [[89, Infinity], [1e10, Infinity], [Infinity, Infinity], [-104, 0], [-1e10, 0], [
        -Infinity,
        0,
      ], [NaN, NaN]];
      const found = await evaluate(device, "exp(x)", beyond.map(([x]) => [x!, 0]));
      const wrong = beyond.findIndex(([, y], k) => !Object.is(found[k], y));
      if (wrong >= 0) return { ok: false, saw: `exp(${beyond[wrong]![0]}) is ${found[wrong]}` };
      // Where the result is normal; 1,001 points.
      const points = Array.from({ length: 1001 }, (_, i) => Math.fround(-87.3 + 0.176 * i));
      const results = await evaluate(device, "exp(x)", points.map((x) => [x, 0]));
      const parts = points.map((x, k) => {
        const ulps = Math.abs(results[k]! / Math.exp(x) - 1) / 2 ** -23;
        return Number.isNaN(ulps) ? Infinity : ulps / (3 + Math.abs(x));
      });
      const worst = Math.max(...parts);
      return {
        ok: worst <= 1,
        saw: `${worst.toFixed(2)} of the bound at x = ${points[parts.indexOf(worst)]}`,
      };
    },
  },
  powOfZeros: {
    means: "pow(0, 0) is 1.",
    ask: ({ device }) => expectValues(device, "pow(x, y)", [[0, 0, 1]]),
  },
  powOfNegativeBase: {
    means: "pow of a negative base and a whole exponent is the product.",
    ask: ({ device }) => expectValues(device, "pow(x, y)", [[-2, 2, 4], [-2, 3, -8]]),
  },
  fusedMultiplyAdd: {
    means: "fma(x, y, z) rounds once.",
    // (1 + ε)(1 − ε) − 1 is −ε² when rounded once, 0 when the product is rounded first.
    ask: ({ device }) =>
      expectValues(device, "fma(x, y, -1.0f)", [[1 + 2 ** -12, 1 - 2 ** -12, -(2 ** -24)]]),
  },
  roundedProduct: {
    means: "x * y - z rounds the product first; else the compiler makes a fused multiply-add of it.",
    ask: ({ device }) => expectValues(device, "x * y - 1.0f", [[1 + 2 ** -12, 1 - 2 ** -12, 0]]),
  },
} satisfies Record<string, Check>;

/** Whether an expression of x and y has exactly the expected values. */
async function expectValues(
  device: GPUDevice,
  expression: string,
  cases: readonly (readonly [x: number, y: number, expected: number])[],
): Promise<Finding> {
  const results = await evaluate(device, expression, cases.map(([x, y]) => [x, y]));
  const seen = cases.map(([x, y], k) => `${results[k]} for x = ${x}, y = ${y}`);
  return { ok: cases.every(([, , expected], k) => Object.is(results[k], expected)), saw: seen.join("; ") };
}

/** Whether an expression of x stays within a relative error at some points; measures the largest. */
async function expectRelative(
  device: GPUDevice,
  expression: string,
  exact: (x: number) => number,
  points: readonly number[],
  bound: number,
): Promise<Finding> {
  const rounded = points.map(Math.fround);
  const results = await evaluate(device, expression, rounded.map((x) => [x, 0]));
  const errors = rounded.map((x, k) => Math.abs(results[k]! / exact(x) - 1));
  const worst = Math.max(...errors.map((error) => Number.isNaN(error) ? Infinity : error));
  const saw = `relative error ${worst.toExponential(1)} at x = ${
    points[errors.indexOf(worst)] ?? "some point"
  }`;
  return { ok: worst <= bound, saw, ...(Number.isFinite(worst) ? { measured: worst } : {}) };
}
