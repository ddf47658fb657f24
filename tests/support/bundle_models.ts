/** Models that bundles are built of in tests: small, and together they have everything that a bundle can have. */

import {
  adam,
  add,
  cast,
  crossEntropy,
  init,
  input,
  linear,
  matmul,
  type Model,
  model,
  mul,
  nn,
  parameter,
  relu,
  reshape,
  setState,
  softmax,
  state,
  sum,
  trainStep,
} from "../../mod.ts";
import { gpt } from "../../examples/gpt.ts";
import { gptDecoder } from "../../examples/gpt_decode.ts";
import { writerModel } from "../../examples/train_gpt/sample.ts";

const classifier = model(
  { x: input(["batch", 20], "f32"), y: input(["batch"], "i32") },
  ({ x, y }) => {
    const hidden = linear(20, 33), out = linear(33, 10);
    const logits = out(relu(hidden(x)));
    return { answer: softmax(logits), loss: crossEntropy(logits, y) };
  },
);

export const mlp = classifier.only("answer").without("y");
export const mlpStep = trainStep(classifier.only("loss"), adam({ rate: 1e-2 }));

/** Convolutions, a norm with running statistics, and an output of every type. */
export const cnn = model({ x: input(["batch", 1, 12, 12], "f32") }, ({ x }) => {
  const conv = nn.conv(1, 4, [3, 3]), norm = nn.batchNorm(4), out = linear(4 * 10 * 10, 5);
  const features = relu(norm(conv(x)));
  return { scores: out(reshape(features, [x.shape[0], 4 * 10 * 10])) };
});

const shape = { layers: 1, heads: 2, width: 16, context: 8, symbols: 11, dropout: 0.2 };
/** Random numbers, attention, embeddings, many states. */
export const gptStep = trainStep(gpt(shape).only("loss"), adam({ rate: 1e-3 }));

/** Writes a text, a character per run, which stays on the device: sorting, random choice, states of integers. */
export const writer = writerModel(shape, 3);

/** Reads a token per run, beside keys and values of those before: states written in place by masks. */
export const decoder = gptDecoder(shape);

/** Halves in and out, a state that is written, and a large constant. */
export const halves: Model = model({ x: input([3, 5], "f16"), on: input([5], "bool") }, ({ x, on }) => {
  const weight = parameter("weight", [5, 3], init.normal(0.5), "f16");
  const total = state("total", [3, 3], init.zeros());
  const next = add(total, cast(matmul(x, weight), "f32"));
  setState(total, next);
  return { next, half: mul(x, cast(on, "f16")), flags: on, count: sum(cast(on, "i32")) };
});

/** No loop whose turns are a parameter: there is no uniform block. */
export const plain: Model = model({ x: input([4, 8], "f32") }, ({ x }) => ({ y: softmax(x) }));
