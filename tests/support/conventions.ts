/**
 * What SEMANTICS says of special values, line by line: each quotes the line, and gives inputs and the results that it
 * decides. Held by the references, the JavaScript kernels and an adapter.
 * @module
 */

import { gradient } from "../../compiler/autodiff/gradient.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import * as ops from "../../ops/mod.ts";

// deno-lint-ignore no-explicit-any -- conventions of every dtype and shape; `infer` checks them.
type Any = any;

export interface Convention {
  /** The line that it holds, or what follows from IEEE 754. */
  readonly says: string;
  readonly inputs: readonly {
    readonly dtype?: DType;
    readonly shape?: readonly number[];
    readonly values: readonly number[];
  }[];
  readonly make: (...inputs: Any[]) => readonly Tensor[];
  /** One per result; equal as numbers, with NaN equal to NaN and −0 to 0. */
  readonly want: readonly (readonly number[])[];
}

const [inf, MIN, MAX] = [Infinity, -0x80000000, 0x7fffffff];
const f = (...values: number[]) => ({ values });
const i = (...values: number[]) => ({ dtype: "i32" as const, values });
const u = (...values: number[]) => ({ dtype: "u32" as const, values });
const t = (...values: number[]) => ({ dtype: "bool" as const, values });
const shaped = (shape: readonly number[], ...values: number[]) => ({ shape, values });
/** ∂Σy/∂x of each input. */
const slopes = (of: (...x: Any[]) => Any) => (...x: Any[]) => gradient(ops.sum(of(...x)) as Tensor, x);

export const conventions: readonly Convention[] = [
  // §3
  {
    says: "Empty reductions: sum 0, product 1, max −∞, min +∞, any false, all true, mean NaN",
    inputs: [shaped([2, 0]), { shape: [2, 0], dtype: "bool", values: [] }],
    make: (x, b) => [
      ops.sum(x, 1),
      ops.prod(x, 1),
      ops.max(x, 1),
      ops.min(x, 1),
      ops.any(b, 1),
      ops.all(b, 1),
      ops.mean(x, 1),
      ops.logSumExp(x, 1),
    ],
    want: [[0, 0], [1, 1], [-inf, -inf], [inf, inf], [0, 0], [1, 1], [NaN, NaN], [-inf, -inf]],
  },
  {
    says: "Empty reductions, of the whole of a tensor and of integers",
    inputs: [{ shape: [0, 3], dtype: "i32", values: [] }, shaped([0])],
    make: (n, x) => [ops.sum(n), ops.max(n, 0), ops.min(n), ops.sum(x), ops.max(x)],
    want: [[0], [MIN, MIN, MIN], [MAX], [0], [-inf]],
  },

  // §6
  {
    says: "float→int truncates, saturates, NaN → 0",
    inputs: [f(1.9, -1.9, 0.5, 3e9, -3e9, 5e9, inf, -inf, NaN)],
    make: (x) => [ops.cast(x, "i32"), ops.cast(x, "u32")],
    want: [[1, -1, 0, MAX, MIN, MAX, MAX, MIN, 0], [1, 0, 0, 3000000000, 0, 4294967295, 4294967295, 0, 0]],
  },
  {
    says: "int→float and f32→f16 round to nearest even, overflow → ∞",
    inputs: [
      i(16777217, 16777219, -16777217, MAX),
      u(4294967295, 16777217),
      f(2049, 2051, 65519, 65520, -1e6, NaN),
    ],
    make: (n, m, x) => [ops.cast(n, "f32"), ops.cast(m, "f32"), ops.cast(x, "f16")],
    want: [[16777216, 16777220, -16777216, 2147483648], [4294967296, 16777216], [
      2048,
      2052,
      65504,
      inf,
      -inf,
      NaN,
    ]],
  },
  {
    says: "int→int wraps; →bool is x ≠ 0 (NaN true)",
    inputs: [i(-1, MIN, 7), u(4294967295, 2147483648, 7), f(0, -0, 1e-30, NaN, inf), i(0, -1)],
    make: (n, m, x, k) => [ops.cast(n, "u32"), ops.cast(m, "i32"), ops.cast(x, "bool"), ops.cast(k, "bool")],
    want: [[4294967295, 2147483648, 7], [-1, MIN, 7], [0, 0, 1, 1, 1], [0, 1]],
  },

  // §7
  {
    says: "Wrap.",
    inputs: [i(MAX, MIN, 65536, MIN), i(1, -1, 65536, MIN), u(4294967295, 0, 65536), u(1, 1, 65537)],
    make: (a, b, c, d) => [
      ops.add(a, b),
      ops.mul(a, b),
      ops.add(c, d),
      ops.sub(d, c),
      ops.mul(c, d),
      ops.neg(a),
      ops.abs(a),
      ops.sum(c),
    ],
    want: [
      [MIN, MAX, 131072, 0],
      [MAX, MIN, 0, 0],
      [0, 1, 131073],
      [2, 1, 1],
      [4294967295, 0, 65536],
      [-MAX, MIN, -65536, MIN],
      [MAX, MIN, 65536, MIN],
      [65535],
    ],
  },
  {
    says: "`div`, `rem` truncate; `floorDiv`, `floorMod` floor",
    inputs: [i(7, -7, 7, -7, 6, -6), i(2, 2, -2, -2, 3, 3)],
    make: (a, b) => [ops.div(a, b), ops.rem(a, b), ops.floorDiv(a, b), ops.floorMod(a, b)],
    want: [[3, -3, -3, 3, 2, -2], [1, -1, 1, -1, 0, 0], [3, -4, -4, 3, 2, -2], [1, 1, -1, -1, 0, 0]],
  },
  {
    says: "x / 0 = x, rem and floorMod by 0 = 0, MIN / −1 = MIN, MIN rem −1 = 0",
    inputs: [i(7, -7, 0, MIN, MIN), i(0, 0, 0, -1, 0), u(7, 4294967295), u(0, 0)],
    make: (a, b, c, d) => [
      ops.div(a, b),
      ops.rem(a, b),
      ops.floorDiv(a, b),
      ops.floorMod(a, b),
      ops.div(c, d),
      ops.rem(c, d),
      ops.floorDiv(c, d),
      ops.floorMod(c, d),
    ],
    want: [
      [7, -7, 0, MIN, MIN],
      [0, 0, 0, 0, 0],
      [7, -7, 0, MIN, MIN],
      [0, 0, 0, 0, 0],
      [7, 4294967295],
      [0, 0],
      [7, 4294967295],
      [0, 0],
    ],
  },
  {
    says: "Shift counts mod 32; i32 >> is arithmetic",
    inputs: [i(1, -8, -8, MIN, 5), i(33, 1, 33, 31, 32), u(1, 2147483648, 2147483648), u(33, 31, 63)],
    make: (
      a,
      b,
      c,
      d,
    ) => [ops.shiftLeft(a, b), ops.shiftRight(a, b), ops.shiftLeft(c, d), ops.shiftRight(c, d)],
    want: [[2, -16, -16, 0, 5], [0, -4, -4, -1, 5], [2, 0, 0], [0, 1, 1]],
  },

  // §8, values
  {
    says: "NaN propagates through arithmetic, max, min, clamp, relu",
    inputs: [f(NaN, 1, NaN, 2), f(1, NaN, NaN, 3)],
    make: (a, b) => [
      ops.add(a, b),
      ops.mul(a, b),
      ops.div(a, b),
      ops.maximum(a, b),
      ops.minimum(a, b),
      ops.clamp(a, 0, 1),
      ops.relu(a),
      ops.sign(a),
      ops.abs(a),
      ops.floor(a),
      ops.round(a),
      ops.leakyRelu(a),
      ops.hardSigmoid(a),
    ],
    want: [
      [NaN, NaN, NaN, 5],
      [NaN, NaN, NaN, 6],
      [NaN, NaN, NaN, 2 / 3],
      [NaN, NaN, NaN, 3],
      [NaN, NaN, NaN, 2],
      [NaN, 1, NaN, 1],
      [NaN, 1, NaN, 2],
      [NaN, 1, NaN, 1],
      [NaN, 1, NaN, 2],
      [NaN, 1, NaN, 2],
      [NaN, 1, NaN, 2],
      [NaN, 1, NaN, 2],
      [NaN, 4 / 6, NaN, 5 / 6],
    ],
  },
  {
    says: "NaN propagates through … max/min reductions; argmax gives the first NaN",
    inputs: [shaped([4, 3], 1, NaN, 2, -inf, -inf, -inf, 3, 3, inf, NaN, 0, NaN)],
    make: (
      x,
    ) => [ops.max(x, 1), ops.min(x, 1), ops.argmax(x, 1), ops.argmin(x, 1), ops.max(x, 0), ops.cummax(x, 1)],
    want: [
      [NaN, -inf, inf, NaN],
      [NaN, -inf, 3, NaN],
      [1, 0, 2, 0],
      [1, 0, 0, 0],
      [NaN, NaN, NaN],
      [1, NaN, NaN, -inf, -inf, -inf, 3, 3, inf, NaN, NaN, NaN],
    ],
  },
  {
    says: "sort is stable and puts NaN last",
    inputs: [f(NaN, 1, -0, 0, inf, -inf, NaN, 1, -2)],
    make: (x) => [
      ops.sort(x),
      ops.argsort(x),
      ops.sort(x, { descending: true }),
      ops.argsort(x, { descending: true }),
      ops.topK(x, 3).values,
      ops.topK(x, 3).indices,
    ],
    want: [
      [-inf, -2, 0, 0, 1, 1, inf, NaN, NaN],
      [5, 8, 2, 3, 1, 7, 4, 0, 6],
      [inf, 1, 1, 0, 0, -2, -inf, NaN, NaN],
      [4, 1, 7, 2, 3, 8, 5, 0, 6],
      [inf, 1, 1],
      [4, 1, 7],
    ],
  },
  {
    says: "Comparisons with NaN are false, ≠ is true",
    inputs: [f(NaN, NaN, 1, 0, inf), f(NaN, 1, NaN, -0, inf)],
    make: (a, b) => [
      ops.equal(a, b),
      ops.notEqual(a, b),
      ops.less(a, b),
      ops.lessEqual(a, b),
      ops.greater(a, b),
      ops.greaterEqual(a, b),
      ops.isnan(a),
      ops.isinf(a),
      ops.isfinite(a),
    ],
    want: [
      [0, 0, 0, 1, 1],
      [1, 1, 1, 0, 0],
      [0, 0, 0, 0, 0],
      [0, 0, 0, 1, 1],
      [0, 0, 0, 0, 0],
      [0, 0, 0, 1, 1],
      [1, 1, 0, 0, 0],
      [0, 0, 0, 0, 1],
      [0, 0, 1, 1, 0],
    ],
  },
  {
    says: "round half to even; sign(0) = 0; 0⁰ = 1",
    inputs: [
      f(0.5, 1.5, 2.5, -0.5, -1.5, 8388609),
      f(0, -0, -3, inf),
      f(0, NaN, 1, 1, -2, -2, 0),
      f(0, 0, NaN, inf, 3, 0.5, -1),
    ],
    make: (x, s, a, b) => [ops.round(x), ops.sign(s), ops.pow(a, b)],
    want: [[0, 2, 2, 0, -2, 8388609], [0, 0, -1, 1], [1, 1, 1, 1, -8, NaN, inf]],
  },
  {
    says: "rem has the sign of x, floorMod of y",
    inputs: [f(7.5, -7.5, 7.5, -7.5, 1, -1), f(2, 2, -2, -2, 0, inf)],
    make: (a, b) => [ops.rem(a, b), ops.floorMod(a, b), ops.floorDiv(a, b)],
    want: [[1.5, -1.5, 1.5, -1.5, NaN, -1], [1.5, 0.5, -0.5, -1.5, NaN, inf], [3, -4, -4, 3, inf, 0]],
  },
  {
    says: "IEEE 754: what has no value is NaN, what overflows is infinite",
    inputs: [f(inf, 0, inf, 0, 1, -1, 3e38), f(inf, inf, inf, 0, 0, 0, 1e-5)],
    make: (a, b) => [ops.sub(a, b), ops.mul(a, b), ops.div(a, b), ops.reciprocal(b), ops.square(a)],
    want: [
      [NaN, -inf, NaN, 0, 1, -1, Math.fround(3e38)],
      [inf, NaN, inf, 0, 0, 0, Math.fround(Math.fround(3e38) * Math.fround(1e-5))],
      [NaN, 0, NaN, NaN, inf, -inf, inf],
      [0, 0, 0, inf, inf, inf, Math.fround(1 / Math.fround(1e-5))],
      [inf, 0, inf, 0, 1, 1, inf],
    ],
  },
  {
    says: "IEEE 754: functions at their poles and beyond",
    inputs: [f(0, -1, inf, -inf, NaN), f(0, -1, -2, inf, NaN)],
    make: (x, y) => [
      ops.log(x),
      ops.log2(x),
      ops.log1p(y),
      ops.exp(x),
      ops.expm1(x),
      ops.sqrt(x),
      ops.rsqrt(x),
      ops.tanh(x),
      ops.sigmoid(x),
      ops.erf(x),
      ops.sin(ops.slice(x, [{ start: 2 }])),
      ops.asin(y),
      ops.acosh(x),
      ops.atanh(y),
    ],
    want: [
      [-inf, NaN, inf, NaN, NaN],
      [-inf, NaN, inf, NaN, NaN],
      [0, -inf, NaN, inf, NaN],
      [1, Math.exp(-1), inf, 0, NaN],
      [0, Math.expm1(-1), inf, -1, NaN],
      [0, NaN, inf, NaN, NaN],
      [inf, NaN, 0, NaN, NaN],
      [0, Math.tanh(-1), 1, -1, NaN],
      [0.5, 1 / (1 + Math.exp(1)), 1, 0, NaN],
      [0, -0.8427007929497149, 1, -1, NaN],
      [NaN, NaN, NaN],
      [0, -Math.PI / 2, NaN, NaN, NaN],
      [NaN, NaN, inf, NaN, NaN],
      [0, -inf, NaN, NaN, NaN],
    ],
  },
  {
    says: "`pad` gives zeros that are multiplied (0 · ∞ = NaN)",
    inputs: [f(2), f(inf, 3, NaN)],
    make: (x, w) => [ops.mul(ops.pad(x, [[1, 1]]), w)],
    want: [[NaN, 6, NaN]],
  },
  {
    says: "zeros that an op never had (inputDilation …) contribute nothing, not 0 · ∞",
    inputs: [shaped([1, 1, 2], 1, 2), shaped([1, 1, 3], 1, inf, 1)],
    make: (x, w) => [ops.conv(x, w, { inputDilation: 2 })],
    want: [[3]],
  },
  {
    says: "A fully masked attention row is 0; Masks select, they never multiply",
    inputs: [
      shaped([1, 2, 2], 1, 0, 0, 1),
      shaped([1, 3, 2], 1, 1, 2, 2, NaN, NaN),
      shaped([1, 3, 2], 5, 6, 5, 6, NaN, inf),
      { shape: [2, 3], dtype: "bool", values: [0, 0, 0, 1, 1, 0] },
    ],
    make: (q, k, v, mask) => [ops.attention(q, k, v, { mask })],
    want: [[0, 0, 5, 6]],
  },
  {
    says: "softmax and logSumExp of infinities: what has no share has 0, and a row without any is NaN",
    inputs: [shaped([4, 2], 0, -inf, -inf, -inf, NaN, 0, 1000, 1000)],
    make: (x) => [ops.softmax(x), ops.logSumExp(x, 1)],
    want: [[1, 0, NaN, NaN, NaN, NaN, 0.5, 0.5], [0, -inf, NaN, 1000 + Math.LN2]],
  },
  {
    says: "A label that is none makes the loss NaN; ignored rows are 0",
    inputs: [shaped([4, 2], 0, 0, 0, 0, 0, 0, 0, 0), i(0, 2, -1, -100)],
    make: (x, y) => [ops.crossEntropyRows(x, y), ops.crossEntropyRows(x, y, { ignoreIndex: -100 })],
    want: [[Math.LN2, NaN, NaN, NaN], [Math.LN2, NaN, NaN, 0]],
  },

  // §8, gradients
  {
    says: "relu′(0) = |·|′(0) = 0",
    inputs: [f(-1, 0, 2)],
    make: (x) => [...slopes(ops.relu)(x), ...slopes(ops.abs)(x)],
    want: [[0, 0, 1], [-1, 0, 1]],
  },
  {
    says: "ties in max/min share equally",
    inputs: [f(2, 1, 3), f(2, 2, 1), shaped([2, 4], 3, 1, 3, 3, 0, 0, 5, 4)],
    make: (a, b, x) => [
      ...slopes(ops.maximum)(a, b),
      ...slopes(ops.minimum)(a, b),
      ...slopes((y) => ops.max(y, 1))(x),
      ...slopes((y) => ops.min(y, 1))(x),
    ],
    want: [
      [0.5, 0, 1],
      [0.5, 1, 0],
      [0.5, 1, 0],
      [0.5, 0, 1],
      [1 / 3, 0, 1 / 3, 1 / 3, 0, 0, 1, 0],
      [0, 1, 0, 0, 0.5, 0.5, 0, 0],
    ],
  },
  {
    says: "clamp passes at its bounds; floor, sign, comparisons: none flows",
    inputs: [f(-2, -1, 0.5, 1, 2)],
    make: (x) => [
      ...slopes((y) => ops.clamp(y, -1, 1))(x),
      ...slopes((y) => ops.add(y, ops.add(ops.floor(y), ops.sign(y))))(x),
      ...slopes((y) => ops.mul(y, ops.cast(ops.greater(y, 0), "f32")))(x),
    ],
    want: [[0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 1, 1, 1]],
  },
  {
    says: "`where` sends zero, not 0 · ∞, to the branch not taken",
    inputs: [f(0, 4), f(1, 1), t(0, 1), f(inf, NaN)],
    make: (x, y, c, w) => [
      ...slopes((a, b) => ops.mul(ops.where(c, a, b), w))(x, y),
      ...slopes((a) => ops.where(ops.greater(a, 0), ops.sqrt(ops.where(ops.greater(a, 0), a, 1)), 0))(x),
    ],
    want: [[0, NaN], [inf, 0], [0, 0.25]],
  },
];
