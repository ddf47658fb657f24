/** Chains of elementwise ops, and the gradients of small patterns. */

import {
  add,
  div,
  exp,
  gelu,
  gradient,
  layerNorm,
  log1p,
  matmul,
  mean,
  mul,
  relu,
  rmsNorm,
  softmax,
  square,
  sub,
  sum,
  tanh,
  type Tensor,
} from "../../../../mod.ts";
import { floats, type FusionProgram, program, weights } from "../program.ts";

const small = { rows: 5, width: 12 };
const full = { rows: 2048, width: 512 };

const matrix = (name: string, { rows, width }: typeof small) => floats(name, [rows, width]);

/** Σ y·dy, whose gradients are what a backward pass computes from dy. */
const pulled = (y: Tensor, s: typeof small): Tensor<readonly [], "f32"> =>
  sum(mul(y as ReturnType<typeof matrix>, matrix("dy", s)));

export const pointwise: readonly FusionProgram[] = [
  program({
    name: "gelu by tanh",
    ops: ["cube", "scale", "add", "scale", "tanh", "add", "multiply", "scale"],
    source: "KernelBench-like, MinGPTNewGelu; Hendrycks, Gimpel 2016",
    small,
    full,
    make(s) {
      const x = matrix("x", s);
      const inner = mul(add(x, mul(mul(square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
      return { y: mul(mul(x, 0.5), add(tanh(inner), 1)) };
    },
  }),
  program({
    name: "mish",
    ops: ["exp", "log1p", "tanh", "multiply"],
    source: "Misra: Mish, 2019",
    small,
    full,
    make(s) {
      const x = matrix("x", s);
      return { y: mul(x, tanh(log1p(exp(x)))) };
    },
  }),
  program({
    name: "affine relu normalize",
    ops: ["scale", "relu", "subtract", "divide", "scale", "add"],
    source: "what loop fusion is for: Halide, Ragan-Kelley et al. 2013; XLA",
    small,
    full,
    make(s) {
      const inner = sub(relu(mul(matrix("x", s), 0.5)), floats("mean", [s.width]));
      const normal = div(inner, floats("deviation", [s.width], 0.5, 1.5));
      return { y: add(mul(normal, 2), matrix("stream", s)) };
    },
  }),
  program({
    name: "softmax backward",
    ops: ["softmax", "multiply", "sum", "subtract", "multiply"],
    source: "the backward pass of KernelBench-like Softmax",
    small,
    full,
    make(s) {
      const x = matrix("x", s);
      return { dx: gradient(pulled(softmax(x), s), [x])[0]! };
    },
  }),
  program({
    name: "layer norm backward",
    ops: ["normalize", "scale", "sum", "sum", "multiply", "subtract", "column sum", "column sum"],
    source: "Ba, Kiros, Hinton 2016; Apex's fused kernel",
    small,
    full,
    make(s) {
      const [scale, shift] = [floats("scale", [s.width]), floats("shift", [s.width])];
      const x = matrix("x", s);
      const [dx, dScale, dShift] = gradient(pulled(layerNorm(x, { scale, shift }), s), [x, scale, shift]);
      return { dx: dx!, dScale: dScale!, dShift: dShift! };
    },
  }),
  program({
    name: "RMS norm backward",
    ops: ["normalize", "scale", "sum", "multiply", "subtract", "column sum"],
    source: "Zhang, Sennrich 2019; Liger, Hsu et al. 2024",
    small,
    full,
    make(s) {
      const scale = floats("scale", [s.width]);
      const x = matrix("x", s);
      const [dx, dScale] = gradient(pulled(rmsNorm(x, { scale }), s), [x, scale]);
      return { dx: dx!, dScale: dScale! };
    },
  }),
  program({
    name: "gelu backward and the bias's gradient",
    ops: ["bias", "gelu'", "multiply", "column sum"],
    source: "Megatron's fused bias-GELU, backward",
    small,
    full,
    make(s) {
      const [x, bias] = [matrix("x", s), floats("bias", [s.width])];
      const [dx, dBias] = gradient(pulled(gelu(add(x, bias)), s), [x, bias]);
      return { dx: dx!, dBias: dBias! };
    },
  }),
  program({
    name: "linear layer's step",
    ops: ["gemm", "subtract", "square", "mean", "scale", "gemm", "column sum"],
    source: "least squares by gradient descent: a linear layer's loss and gradients",
    small: { rows: 6, width: 5, outputs: 4 },
    full: { rows: 4096, width: 64, outputs: 64 },
    make({ rows, width, outputs }) {
      const [x, target] = [floats("x", [rows, width]), floats("target", [rows, outputs])];
      const [w, b] = [weights("w", [width, outputs], width), floats("bias", [outputs])];
      const loss = mean(square(sub(add(matmul(x, w), b), target)));
      const [dw, db] = gradient(loss, [w, b]);
      return { loss, dw: dw!, db: db! };
    },
  }),
];
