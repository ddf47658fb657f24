/**
 * Functions over ops, compiled together with their gradients, unfused and fused, against the references of what they are
 * made of.
 */

import type { SampleInput } from "../../../compiler/graph/op.ts";
import type { Tensor } from "../../../compiler/graph/node.ts";
import * as ops from "../../../ops/mod.ts";
import { attentionPlain } from "../../../ops/nn/attention_plain.ts";
import { CaseChecker, ways } from "../../support/check_cases.ts";
import { functionCase, type FunctionOf, maskInput } from "../../support/function_cases.ts";

type Floats = Tensor<readonly number[], "f32">;
type Integers = Tensor<readonly number[], "i32">;
/** Functions take their own types; here every input is just a tensor. */
const over = (f: (...inputs: Floats[]) => unknown): FunctionOf => f as FunctionOf;

const x = (...shape: number[]): SampleInput => ({ shape, lo: -2, hi: 2 });
const labels = (classes: number, ...shape: number[]): SampleInput => ({
  shape,
  dtype: "i32",
  lo: 0,
  hi: classes,
});
const weights = (...shape: number[]): SampleInput => ({ shape, lo: 0.5, hi: 1.5 });

const attended = (options: Parameters<typeof ops.attention>[3]) =>
  over((q, k, v) => ops.attention(q, k, v, options));
const plainly = (options: Parameters<typeof ops.attention>[3]) =>
  over((q, k, v) => attentionPlain(q, k, v, options)[0]);
const heads = [x(2, 4, 7, 5), x(2, 2, 7, 5), x(2, 2, 7, 3)];

const functions: Readonly<Record<string, readonly [FunctionOf, readonly SampleInput[]]>> = {
  "softmax": [over((a) => ops.softmax(a)), [x(5, 13)]],
  "softmax of columns": [over((a) => ops.softmax(a, 0)), [x(7, 6)]],
  "logSoftmax": [over((a) => ops.logSoftmax(a)), [x(3, 8)]],
  "logSumExp": [over((a) => ops.logSumExp(a)), [x(3, 9)]],
  "layerNorm": [over((a, s, b) => ops.layerNorm(a, { scale: s, shift: b })), [x(5, 12), weights(12), x(12)]],
  "layerNorm of one row": [over((a) => ops.layerNorm(a)), [x(1, 37)]],
  "rmsNorm": [over((a, s) => ops.rmsNorm(a, { scale: s })), [x(4, 9), weights(9)]],
  "groupNorm": [over((a, s, b) => ops.groupNorm(a, 2, { scale: s, shift: b })), [
    x(2, 4, 3, 3),
    weights(4),
    x(4),
  ]],
  "variance": [over((a) => ops.variance(a, -1, { correction: 1 })), [x(4, 7)]],
  "norm of order 2": [over((a) => ops.norm(a, -1)), [x(4, 7)]],
  "norm of order 1": [over((a) => ops.norm(a, 0, { order: 1 })), [x(4, 7)]],
  "mean of everything": [over((a) => ops.mean(a)), [x(7, 11)]],
  "cross-entropy": [
    (a, l) => ops.crossEntropy(a as Floats, l as Integers),
    [x(6, 11), labels(11, 6)],
  ],
  "cross-entropy, smoothed, with labels ignored": [
    (a, l) => ops.crossEntropy(a as Floats, l as Integers, { smoothing: 0.1, ignoreIndex: 2 }),
    [x(2, 3, 5), labels(5, 2, 3)],
  ],
  "negative log-likelihood, with labels ignored": [
    (a, l) => ops.nll(ops.logSoftmax(a as Floats), l as Integers, { ignoreIndex: 2 }),
    [x(2, 3, 5), labels(5, 2, 3)],
  ],
  "batchNorm by its own statistics": [over((a, s, b) => ops.batchNorm(a, { scale: s, shift: b })), [
    x(3, 4, 3, 2),
    weights(4),
    x(4),
  ]],
  "batchNorm by given statistics": [
    over((a, mean, variance) => ops.batchNorm(a, { statistics: { mean, variance } })),
    [x(5, 3), x(3), weights(3)],
  ],
  "powers that broadcast": [over((a, b) => ops.pow(a, b)), [weights(3, 4), x(2, 1, 4)]],
  "mse": [over((a, b) => ops.mse(a, b)), [x(4, 5), x(4, 5)]],
  "mae": [over((a, b) => ops.mae(a, b)), [x(4, 5), x(4, 5)]],
  "huber": [over((a, b) => ops.huber(a, b, 0.7)), [x(4, 5), x(4, 5)]],
  "bce with logits": [over((a, b) => ops.bceWithLogits(a, b)), [x(4, 5), weights(4, 5)]],
  "Kullback-Leibler": [
    over((a, b) => ops.klDivergence(ops.logSoftmax(a), b)),
    [x(3, 7), { shape: [3, 7], lo: 0.01, hi: 0.3 }],
  ],
  "gelu of a linear layer": [over((a, w, b) => ops.gelu(ops.add(ops.matmul(a, w), b))), [
    x(7, 6),
    x(6, 9),
    x(9),
  ]],
  "mish, elu, selu and leakyRelu": [
    over((a) => ops.mish(ops.elu(ops.selu(ops.leakyRelu(a))))),
    [x(3, 11)],
  ],
  "hardSwish and hardSigmoid": [over((a) => ops.hardSwish(ops.hardSigmoid(a))), [x(3, 11)]],
  "where of a comparison": [
    (m, a, b) => ops.where(m as Tensor<readonly number[], "bool">, a!, b!) as Tensor,
    [
      maskInput([4, 6]),
      x(4, 6),
      x(4, 6),
    ],
  ],
  "three outputs of one input, summed": [
    over((a) => ops.add(ops.add(ops.sin(a), ops.mul(a, ops.tanh(a))), ops.exp(a))),
    [x(5, 7)],
  ],
  "a chain of matmuls with a residual": [
    over((a, w, u) => ops.add(a, ops.matmul(ops.relu(ops.matmul(a, w)), u))),
    [x(5, 8), x(8, 16), x(16, 8)],
  ],
  "an embedding, normalized": [
    (t, ids) => ops.layerNorm(ops.embedding(t as Floats, ids as Integers)),
    [x(10, 6), labels(10, 3, 4)],
  ],
  "conv, relu and pooling": [
    over((a, w) => ops.maxPool(ops.relu(ops.conv(a, w, { padding: 1 })), 2)),
    [x(2, 2, 6, 6), x(3, 2, 3, 3)],
  ],
  "average pooling with a border": [over((a) => ops.averagePool(a, 3, { padding: 1, stride: 2 })), [
    x(1, 2, 5, 6),
  ]],
  "attention as one op": [attended({}), heads],
  "attention as one op, causal": [attended({ causal: true }), heads],
  "attention in plain ops": [plainly({}), heads],
  "attention in plain ops, causal": [plainly({ causal: true }), heads],
};

const checker = new CaseChecker();

for (const [name, [f, inputs]] of Object.entries(functions)) {
  Deno.test(`${name}: compiled with its gradient, it is what its references say`, () => {
    checker.check(functionCase(name, f, inputs), [ways.none, ways.greedy, ways.oneLane]);
  });
}

Deno.test("hardly any function is dropped as undecidable", () => checker.assertHardlyDropped());
