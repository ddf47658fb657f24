/** Gated and stacked products. */

import {
  add,
  gelu,
  layerNorm,
  matmul,
  mul,
  rmsNorm,
  sigmoid,
  silu,
  sliceAxis,
  sub,
  tanh,
  type Tensor,
} from "../../../../mod.ts";
import { floats, type FusionProgram, program, weights } from "../program.ts";

type Matrix = Tensor<readonly [number, number], "f32">;

/** x · W of new weights, and with a bias where one is asked for. */
const dense = (x: Matrix, name: string, columns: number): Matrix =>
  matmul(x, weights(name, [x.shape[1], columns], x.shape[1]));
const biased = (x: Matrix, name: string, columns: number): Matrix =>
  add(dense(x, name, columns), floats(`${name}_bias`, [columns]));

const small = { rows: 5, width: 8, hidden: 12 };
const full = { rows: 2048, width: 64, hidden: 256 };

export const mlp: readonly FusionProgram[] = [
  program({
    name: "SwiGLU",
    ops: ["gemm", "gemm", "swish", "multiply"],
    source: "Shazeer: GLU Variants Improve Transformer, 2020",
    small,
    full,
    make({ rows, width, hidden }) {
      const x = floats("x", [rows, width]);
      return { y: mul(silu(dense(x, "gate", hidden)), dense(x, "up", hidden)) };
    },
  }),
  program({
    name: "GeGLU with biases",
    ops: ["gemm", "bias", "gemm", "bias", "gelu", "multiply"],
    source: "Shazeer: GLU Variants Improve Transformer, 2020",
    small,
    full,
    make({ rows, width, hidden }) {
      const x = floats("x", [rows, width]);
      return { y: mul(gelu(biased(x, "gate", hidden)), biased(x, "up", hidden)) };
    },
  }),
  program({
    name: "gated MLP",
    ops: ["RMS norm", "gemm", "gemm", "swish", "multiply", "gemm", "add"],
    source: "LLaMA's feed-forward block; Touvron et al. 2023",
    small,
    full,
    make({ rows, width, hidden }) {
      const x = floats("x", [rows, width]);
      const normal = rmsNorm(x, { scale: floats("scale", [width]) });
      const gated = mul(silu(dense(normal, "gate", hidden)), dense(normal, "up", hidden));
      return { y: add(x, dense(gated, "down", width)) };
    },
  }),
  program({
    name: "transformer MLP",
    ops: ["layer norm", "gemm", "bias", "gelu", "gemm", "bias", "add"],
    source: "GPT-2's feed-forward block; Radford et al. 2019",
    small,
    full,
    make({ rows, width, hidden }) {
      const x = floats("x", [rows, width]);
      const [scale, shift] = [floats("scale", [width]), floats("shift", [width])];
      const inner = gelu(biased(layerNorm(x, { scale, shift }), "up", hidden));
      return { y: add(x, biased(inner, "down", width)) };
    },
  }),
  program({
    name: "LoRA",
    ops: ["gemm", "gemm", "gemm", "scale", "add"],
    source: "Hu et al.: LoRA, 2021",
    small: { ...small, rank: 3 },
    full: { ...full, rank: 8 },
    make({ rows, width, hidden, rank }) {
      const x = floats("x", [rows, width]);
      const low = dense(dense(x, "a", rank), "b", hidden);
      return { y: add(dense(x, "w", hidden), mul(low, 2)) };
    },
  }),
  program({
    name: "highway layer",
    ops: ["gemm", "bias", "tanh", "gemm", "bias", "sigmoid", "mix"],
    source: "Srivastava, Greff, Schmidhuber: Highway Networks, 2015",
    small,
    full: { ...full, width: 128 },
    make({ rows, width }) {
      const x = floats("x", [rows, width]);
      const h = tanh(biased(x, "h", width));
      const t = sigmoid(biased(x, "t", width));
      return { y: add(x, mul(t, sub(h, x))) };
    },
  }),
  program({
    name: "LSTM cell",
    ops: ["gemm", "gemm", "add", "bias", "sigmoid", "sigmoid", "tanh", "sigmoid", "mix", "tanh"],
    source: "Hochreiter, Schmidhuber 1997; cuDNN's fused cell, Appleyard et al. 2016",
    small,
    full,
    make({ rows, width, hidden }) {
      const [x, h] = [floats("x", [rows, width]), floats("h", [rows, width])];
      const cell = floats("cell", [rows, hidden]);
      const gates = add(biased(x, "input", 4 * hidden), dense(h, "recurrent", 4 * hidden));
      const gate = (i: number): Matrix =>
        sliceAxis(gates, 1, { start: i * hidden, stop: (i + 1) * hidden }) as Matrix;
      const next = add(mul(sigmoid(gate(1)), cell), mul(sigmoid(gate(0)), tanh(gate(2))));
      return { cell: next, hidden: mul(sigmoid(gate(3)), tanh(next)) };
    },
  }),
  program({
    name: "minimal gated unit",
    ops: ["gemm", "bias", "sigmoid", "multiply", "gemm", "bias", "tanh", "mix"],
    source: "Zhou et al.: Minimal Gated Unit for Recurrent Neural Networks, 2016",
    small,
    full: { ...full, width: 128 },
    make({ rows, width }) {
      const h = floats("h", [rows, width]);
      const forget = sigmoid(biased(h, "forget", width));
      const candidate = tanh(biased(mul(forget, h), "candidate", width));
      return { y: add(h, mul(forget, sub(candidate, h))) };
    },
  }),
];
