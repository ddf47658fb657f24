/** Losses, from logits or embeddings to one number. */

import {
  add,
  bceWithLogits,
  clamp,
  crossEntropy,
  div,
  exp,
  huber,
  iota,
  klDivergence,
  logSoftmax,
  matmul,
  mean,
  minimum,
  mul,
  neg,
  relu,
  rsqrt,
  sigmoid,
  softmax,
  softplus,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  transpose,
} from "../../../../mod.ts";
import { bits, floats, type FusionProgram, labels, program } from "../program.ts";

type Matrix = Tensor<readonly [number, number], "f32">;

const small = { rows: 6, width: 10 };
const full = { rows: 2048, width: 512 };

const logits = ({ rows, width }: typeof small): Matrix => floats("logits", [rows, width], -4, 4);

/** Rows of length 1. */
const unit = (x: Matrix): Matrix => mul(x, rsqrt(add(sum(square(x), -1, { keepDims: true }), 1e-6)));

export const losses: readonly FusionProgram[] = [
  program({
    name: "cross-entropy",
    ops: ["log-softmax", "pick", "mean"],
    source: "KernelBench-like, CrossEntropyLoss",
    small,
    full,
    make: (s) => ({ loss: crossEntropy(logits(s), labels("label", [s.rows], s.width)) }),
  }),
  program({
    name: "cross-entropy with smoothing",
    ops: ["log-softmax", "pick", "mean", "mix", "mean"],
    source: "Szegedy et al.: Rethinking the Inception Architecture, 2015",
    small,
    full,
    make: (s) => ({
      loss: crossEntropy(logits(s), labels("label", [s.rows], s.width), { smoothing: 0.1 }),
    }),
  }),
  program({
    name: "focal loss",
    ops: ["sigmoid", "binary cross-entropy", "subtract", "square", "weigh", "mean"],
    source: "Lin et al.: Focal Loss for Dense Object Detection, 2017",
    small,
    full,
    make(s) {
      const [x, t] = [logits(s), bits("target", [s.rows, s.width], 0.2)];
      const p = sigmoid(x);
      const entropy = sub(softplus(x), mul(x, t));
      const missed = sub(add(p, t), mul(mul(p, t), 2));
      const weight = add(mul(t, -0.5), 0.75);
      return { loss: mean(mul(mul(weight, square(missed)), entropy)) };
    },
  }),
  program({
    name: "binary cross-entropy",
    ops: ["relu", "multiply", "softplus", "add", "mean"],
    source: "bce with logits, as all frameworks have it",
    small,
    full,
    make: (s) => ({ loss: bceWithLogits(logits(s), bits("target", [s.rows, s.width], 0.5)) }),
  }),
  program({
    name: "Huber loss",
    ops: ["subtract", "abs", "square", "select", "mean"],
    source: "KernelBench-like, HuberLoss; Huber 1964",
    small,
    full,
    make: (s) => ({ loss: huber(logits(s), floats("target", [s.rows, s.width], -4, 4)) }),
  }),
  program({
    name: "distillation",
    ops: ["scale", "log-softmax", "scale", "softmax", "KL divergence"],
    source: "Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015",
    small,
    full,
    make(s) {
      const teacher = softmax(mul(floats("teacher", [s.rows, s.width], -4, 4), 0.25));
      return { loss: mul(klDivergence(logSoftmax(mul(logits(s), 0.25)), teacher), 16) };
    },
  }),
  program({
    name: "contrastive loss",
    ops: ["normalize", "normalize", "gemm", "scale", "cross-entropy"],
    source: "InfoNCE, van den Oord et al. 2018; CLIP, Radford et al. 2021",
    small,
    full: { rows: 512, width: 64 },
    make({ rows, width }) {
      const [a, b] = [unit(floats("a", [rows, width])), unit(floats("b", [rows, width]))];
      const similarity = mul(matmul(a, transpose(b)), 1 / 0.07) as Matrix;
      return { loss: crossEntropy(similarity, iota([rows])) };
    },
  }),
  program({
    name: "triplet margin loss",
    ops: ["subtract", "square", "sum", "subtract", "square", "sum", "margin", "mean"],
    source: "KernelBench-like, TripletMarginLoss; FaceNet, Schroff et al. 2015",
    small,
    full: { rows: 4096, width: 256 },
    make({ rows, width }) {
      const [a, p, n] = ["anchor", "positive", "negative"].map((name) => floats(name, [rows, width]));
      const apart = (x: Matrix, y: Matrix) => sqrt(add(sum(square(sub(x, y)), -1), 1e-6));
      return { loss: mean(relu(add(sub(apart(a!, p!), apart(a!, n!)), 1))) };
    },
  }),
  program({
    name: "dice loss",
    ops: ["sigmoid", "multiply", "sum", "sum", "sum", "divide", "mean"],
    source: "V-Net; Milletari, Navab, Ahmadi 2016",
    small,
    full,
    make(s) {
      const [p, t] = [sigmoid(logits(s)), bits("target", [s.rows, s.width], 0.3)];
      const overlap = mul(sum(mul(p, t), -1), 2);
      return { loss: mean(sub(1, div(overlap, add(add(sum(p, -1), sum(t, -1)), 1)))) };
    },
  }),
  program({
    name: "cosine similarity loss",
    ops: ["normalize", "normalize", "dot", "subtract", "mean"],
    source: "KernelBench-like, CosineSimilarityLoss; BYOL, Grill et al. 2020",
    small,
    full,
    make(s) {
      const [a, b] = [unit(logits(s)), unit(floats("target", [s.rows, s.width]))];
      return { loss: mean(sub(1, sum(mul(a, b), -1))) };
    },
  }),
  program({
    name: "clipped policy loss",
    ops: ["subtract", "exp", "clip", "multiply", "multiply", "min", "mean"],
    source: "PPO; Schulman et al. 2017",
    small,
    full,
    make({ rows, width }) {
      const [now, then] = [floats("now", [rows, width]), floats("then", [rows, width])];
      const advantage = floats("advantage", [rows, width]);
      const ratio = exp(sub(now, then));
      const [free, held] = [mul(ratio, advantage), mul(clamp(ratio, 0.8, 1.2), advantage)];
      return { loss: neg(mean(minimum(free, held))) };
    },
  }),
  program({
    name: "VAE loss",
    ops: ["subtract", "square", "mean", "exp", "square", "add", "mean", "add"],
    source: "Kingma, Welling: Auto-Encoding Variational Bayes, 2013",
    small,
    full,
    make({ rows, width }) {
      const matrix = (name: string) => floats(name, [rows, width]);
      const [average, spread] = [matrix("mean"), matrix("logvar")];
      const divergence = mean(sub(add(exp(spread), square(average)), add(spread, 1)));
      return { loss: add(mean(square(sub(matrix("x"), matrix("decoded")))), mul(divergence, 0.5)) };
    },
  }),
];
