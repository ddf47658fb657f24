/** A product and what follows it. */

import {
  add,
  clamp,
  div,
  gelu,
  groupNorm,
  logSumExp,
  matmul,
  max,
  mean,
  mish,
  mul,
  relu,
  sigmoid,
  silu,
  softmax,
  square,
  sub,
  sum,
} from "../../../../mod.ts";
import { floats, type FusionProgram, program, weights } from "../program.ts";

const small = { rows: 5, inner: 7, columns: 8 };
const full = { rows: 4096, inner: 64, columns: 512 };

/** x [rows, inner] · w [inner, columns]. */
const product = ({ rows, inner, columns }: typeof small) =>
  matmul(floats("x", [rows, inner]), weights("w", [inner, columns], inner));

const biased = (sizes: typeof small) => add(product(sizes), floats("bias", [sizes.columns]));

export const gemm: readonly FusionProgram[] = [
  program({
    name: "gemm bias relu",
    ops: ["gemm", "bias", "relu"],
    source: "KernelBench-like, Gemm + BiasAdd + ReLU; Nair, Hinton 2010",
    small,
    full,
    make: (s) => ({ y: relu(biased(s)) }),
  }),
  program({
    name: "gemm bias gelu",
    ops: ["gemm", "bias", "gelu"],
    source: "the first half of a transformer's MLP; Hendrycks, Gimpel 2016",
    small,
    full,
    make: (s) => ({ y: gelu(biased(s)) }),
  }),
  program({
    name: "gemm swish scale",
    ops: ["gemm", "bias", "swish", "scale"],
    source: "KernelBench-like, Matmul + Swish + Scaling; Ramachandran, Zoph, Le 2017",
    small,
    full,
    make: (s) => ({ y: mul(silu(biased(s)), 2) }),
  }),
  program({
    name: "gemm squared relu",
    ops: ["gemm", "relu", "square"],
    source: "Primer; So et al. 2021",
    small,
    full,
    make: (s) => ({ y: square(relu(product(s))) }),
  }),
  program({
    name: "gemm bias residual",
    ops: ["gemm", "bias", "add"],
    source: "the end of a transformer's block; Vaswani et al. 2017",
    small,
    full,
    make: (s) => ({ y: add(floats("stream", [s.rows, s.columns]), biased(s)) }),
  }),
  program({
    name: "gemm softmax",
    ops: ["gemm", "bias", "softmax"],
    source: "KernelBench-like, Gemm + Softmax: a classifier's head",
    small,
    full,
    make: (s) => ({ y: softmax(biased(s)) }),
  }),
  program({
    name: "gemm residual clamp logsumexp mish",
    ops: ["gemm", "scale", "add", "clamp", "logsumexp", "mish"],
    source: "KernelBench-like, Matmul + Scale + ResidualAdd + Clamp + LogSumExp + Mish",
    small,
    full,
    make(s) {
      const scaled = mul(product(s), 2);
      return { y: mish(logSumExp(clamp(add(scaled, scaled), -3, 3))) };
    },
  }),
  program({
    name: "gemm sigmoid sum",
    ops: ["gemm", "bias", "sigmoid", "sum"],
    source: "KernelBench-like, Gemm + Sigmoid + Sum",
    small,
    full,
    make: (s) => ({ y: sum(sigmoid(biased(s)), -1) }),
  }),
  program({
    name: "gemm divide sum scale",
    ops: ["gemm", "divide", "sum", "scale"],
    source: "KernelBench-like, Gemm + Divide + Sum + Scaling",
    small,
    full,
    make: (s) => ({ y: mul(sum(div(product(s), 2), -1), 1.5) }),
  }),
  program({
    name: "gemm max subtract gelu",
    ops: ["gemm", "bias", "max", "mean", "subtract", "gelu"],
    source: "KernelBench-like, Gemm + Max + Subtract + GELU, in a form that is not 0",
    small,
    full,
    make(s) {
      const y = biased(s);
      return { y: gelu(sub(max(y, -1), mean(y, -1))) };
    },
  }),
  program({
    name: "gemm group norm hardtanh",
    ops: ["gemm", "bias", "group norm", "hardtanh"],
    source: "KernelBench-like, Gemm + GroupNorm + Hardtanh; Wu, He 2018",
    small,
    full,
    make(s) {
      const [scale, shift] = [floats("scale", [s.columns]), floats("shift", [s.columns])];
      return { y: clamp(groupNorm(biased(s), 4, { scale, shift }), -1, 1) };
    },
  }),
];
