/**
 * The programs whose kernels and memory are counted: two training steps for which bars are set, the programs of all
 * examples, and what ought to be one kernel.
 * @module
 */

import type { Graph } from "../../compiler/graph/graph.ts";
import { step } from "../../examples/gpt_step.ts";
import { mlp } from "../../examples/mnist_mlp.ts";
import { lines } from "../../examples/quantiles.ts";
import { withDefaults } from "../../examples/train_gpt/options.ts";
import { writerModel } from "../../examples/train_gpt/sample.ts";
import { shapeOf, trainerModel } from "../../examples/train_gpt/train.ts";
import { judgeModel } from "../../examples/train_gpt/validate.ts";
import { xor } from "../../examples/xor.ts";
import {
  adam,
  add,
  attention,
  crossEntropy,
  exp,
  gelu,
  input,
  layerNorm,
  matmul,
  type Model,
  model,
  mul,
  parameter,
  rmsNorm,
  softmax,
  sub,
  sum,
  tanh,
  trainStep,
} from "../../mod.ts";
import { ones } from "../../ops/nn/init.ts";

/** A graph to compile, and the sizes that it is compiled for. */
export interface CountedProgram {
  readonly name: string;
  graph(): Graph;
  readonly sizes: Readonly<Record<string, number>>;
}

const program = (
  name: string,
  make: () => Pick<Model, "graph">,
  sizes: CountedProgram["sizes"] = {},
): CountedProgram => ({ name, graph: () => make().graph, sizes });

/** 784-512-256-10 with Adam on 128 images. */
export const mlpStep = program(
  "MLP step",
  () => trainStep(mlp.only("loss"), adam({ rate: 1e-3 })),
  { batch: 128 },
);

/** Four layers, 128 wide, 4 heads, 8 × 64 tokens of 96 symbols, with AdamW. */
export const gptStep = program("GPT step", () => step, { batch: 8 });

const trainer = withDefaults({});
/** Tiny Shakespeare has 65 different characters. */
const shape = shapeOf(trainer, 65);

/** Every program that an example compiles. */
export const examplePrograms: readonly CountedProgram[] = [
  program("train_gpt: step", () => trainerModel(trainer, shape), { batch: trainer.batch }),
  program("train_gpt: validation", () => judgeModel(shape), { pieces: 4 * trainer.batch }),
  program("train_gpt: writing", () => writerModel(shape, trainer.topK)),
  program("mnist_mlp: step", () => trainStep(mlp.only("loss"), adam({ rate: 1e-3 })), { batch: 128 }),
  program("mnist_mlp: reading", () => mlp.only("logits").without("y"), { batch: 10_000 }),
  program("quantiles: step", () => trainStep(lines, adam({ rate: 0.02 })), { points: 200 }),
  program("xor: step", () => trainStep(xor, adam({ rate: 0.05 })), { batch: 4 }),
];

const rows = input([512, 768], "f32");
const heads = input([8, 256, 64], "f32");

/** What one kernel can do; the cross-entropy, with its mean, two. */
export const oneKernelEach: readonly (CountedProgram & { readonly most: number })[] = [
  { most: 1, ...program("softmax", () => model({ x: rows }, ({ x }) => ({ y: softmax(x) }))) },
  {
    most: 1,
    ...program(
      "layer norm",
      () =>
        model({ x: rows, g: input([768], "f32"), b: input([768], "f32") }, ({ x, g, b }) => {
          return { y: layerNorm(x, { scale: g, shift: b }) };
        }),
    ),
  },
  {
    most: 1,
    ...program(
      "RMS norm",
      () => model({ x: rows, g: input([768], "f32") }, ({ x, g }) => ({ y: rmsNorm(x, { scale: g }) })),
    ),
  },
  {
    most: 1,
    ...program(
      "gelu(x·W + b)",
      () =>
        model({ x: rows, w: input([768, 256], "f32"), b: input([256], "f32") }, ({ x, w, b }) => {
          return { y: gelu(add(matmul(x, w), b)) };
        }),
    ),
  },
  {
    most: 1,
    ...program(
      "three outputs of one input",
      () => model({ x: rows }, ({ x }) => ({ a: exp(x), b: tanh(mul(x, 2)), c: sub(x, 1) })),
    ),
  },
  {
    most: 1,
    ...program("causal attention, forward", () =>
      model({ q: heads, k: heads, v: heads }, ({ q, k, v }) => {
        return { y: attention(q, k, v, { causal: true }) };
      })),
  },
  {
    most: 2,
    ...program(
      "cross-entropy",
      () => model({ x: rows, y: input([512], "i32") }, ({ x, y }) => ({ loss: crossEntropy(x, y) })),
    ),
  },
];

/** Adam over parameters of `sizes` elements each, and nothing else: their gradients are the parameters. */
export const adamOver = (...sizes: number[]): CountedProgram =>
  program("Adam", () =>
    trainStep(
      model({}, () => {
        const all = sizes.map((size, i) => parameter(`p${i}`, [size], ones()));
        return { loss: all.map((p) => sum(mul(p, p))).reduce((a, b) => add(a, b)) };
      }),
      adam({ rate: 1e-3 }),
    ));
