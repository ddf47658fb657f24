/** Convolutions with norms, activations and pools. */

import {
  add,
  clamp,
  conv,
  div,
  globalAveragePool,
  groupNorm,
  matmul,
  maxPool,
  min,
  mish,
  mul,
  named,
  relu,
  reshape,
  rsqrt,
  sigmoid,
  silu,
  sub,
  tanh,
  type Tensor,
} from "../../../../mod.ts";
import { floats, type FusionProgram, program, weights } from "../program.ts";

type Image = Tensor<readonly [number, number, number, number], "f32">;

const small = { batch: 2, channels: 4, filters: 8, side: 6 };
const full = { batch: 8, channels: 8, filters: 32, side: 56 };

const image = ({ batch, channels, side }: typeof small) => floats("x", [batch, channels, side, side]);

const perChannel = (name: string, channels: number, lo?: number, hi?: number) =>
  floats(name, [channels, 1, 1], lo, hi);

/** 3×3, with zeros around. */
const convolved = (x: Image, filters: number): Image =>
  conv(x, weights("kernel", [filters, x.shape[1], 3, 3], 9 * x.shape[1]), { padding: 1 }) as Tensor as Image;

/** Batch norm as inference has it: by statistics that are known. */
const normalized = (x: Image, name: string): Image =>
  named(name, () => {
    const [, channels] = x.shape;
    const deviation = rsqrt(add(perChannel("variance", channels, 0.5, 1.5), 1e-5));
    const normal = mul(sub(x, perChannel("mean", channels)), deviation);
    return add(mul(normal, perChannel("scale", channels)), perChannel("shift", channels));
  });

export const convolutions: readonly FusionProgram[] = [
  program({
    name: "conv bias relu",
    ops: ["conv", "bias", "relu"],
    source: "KernelBench-like, Conv2d + BiasAdd + ReLU",
    small,
    full,
    make: (s) => ({ y: relu(add(convolved(image(s), s.filters), perChannel("bias", s.filters))) }),
  }),
  program({
    name: "conv batch norm relu",
    ops: ["conv", "batch norm", "relu"],
    source: "Ioffe, Szegedy 2015; inference",
    small,
    full,
    make: (s) => ({ y: relu(normalized(convolved(image(s), s.filters), "norm")) }),
  }),
  program({
    name: "conv batch norm residual relu",
    ops: ["conv", "batch norm", "add", "relu"],
    source: "the end of a residual block; He et al. 2015",
    small: { ...small, channels: 8 },
    full: { ...full, channels: 16, filters: 16 },
    make(s) {
      const x = image(s);
      return { y: relu(add(normalized(convolved(x, s.filters), "norm"), x)) };
    },
  }),
  program({
    name: "conv group norm swish",
    ops: ["conv", "bias", "group norm", "swish"],
    source: "a diffusion model's block; Ho, Jain, Abbeel 2020",
    small,
    full,
    make(s) {
      const y = add(convolved(image(s), s.filters), perChannel("bias", s.filters));
      const [scale, shift] = [floats("scale", [s.filters]), floats("shift", [s.filters])];
      return { y: silu(groupNorm(y, 4, { scale, shift })) };
    },
  }),
  program({
    name: "conv instance norm divide",
    ops: ["conv", "bias", "instance norm", "divide"],
    source: "KernelBench-like, Conv2d + InstanceNorm + Divide; Ulyanov et al. 2016",
    small,
    full,
    make(s) {
      const y = add(convolved(image(s), s.filters), perChannel("bias", s.filters));
      return { y: div(groupNorm(y, s.filters), 2) };
    },
  }),
  program({
    name: "conv min tanh tanh",
    ops: ["conv", "bias", "min", "tanh", "tanh"],
    source: "KernelBench-like, Conv2d + Min + Tanh + Tanh",
    small,
    full,
    make(s) {
      const y = add(convolved(image(s), s.filters), perChannel("bias", s.filters));
      return { y: tanh(tanh(min(y, 1, { keepDims: true }))) };
    },
  }),
  program({
    name: "conv subtract mish",
    ops: ["conv", "bias", "subtract", "subtract", "mish"],
    source: "KernelBench-like, Conv2d + Subtract + Subtract + Mish; Misra 2019",
    small,
    full,
    make(s) {
      const y = add(convolved(image(s), s.filters), perChannel("bias", s.filters));
      return { y: mish(sub(sub(y, 0.5), 0.2)) };
    },
  }),
  program({
    name: "conv relu max pool",
    ops: ["conv", "bias", "relu", "max pool"],
    source: "LeCun et al. 1998; Krizhevsky, Sutskever, Hinton 2012",
    small,
    full,
    make(s) {
      const y = add(convolved(image(s), s.filters), perChannel("bias", s.filters));
      return { y: maxPool(relu(y), 2) };
    },
  }),
  program({
    name: "depthwise separable",
    ops: ["depthwise conv", "batch norm", "relu6", "conv", "batch norm", "relu6"],
    source: "MobileNet; Howard et al. 2017",
    small,
    full: { ...full, channels: 16, filters: 32 },
    make(s) {
      const x = image(s);
      const depthwise = conv(x, weights("depthwise", [s.channels, 1, 3, 3], 9), {
        padding: 1,
        groups: s.channels,
      }) as Tensor as Image;
      const inner = clamp(normalized(depthwise, "first"), 0, 6);
      const kernel = weights("pointwise", [s.filters, s.channels, 1, 1], s.channels);
      const outer = conv(inner, kernel) as Tensor as Image;
      return { y: clamp(normalized(outer, "second"), 0, 6) };
    },
  }),
  program({
    name: "squeeze and excite",
    ops: ["global pool", "gemm", "relu", "gemm", "sigmoid", "scale"],
    source: "Hu, Shen, Sun: Squeeze-and-Excitation Networks, 2017",
    small,
    full: { batch: 16, channels: 64, filters: 16, side: 56 },
    make(s) {
      const x = image(s);
      const pooled = globalAveragePool(x) as Tensor as Tensor<readonly [number, number], "f32">;
      const squeezed = relu(matmul(pooled, weights("squeeze", [s.channels, s.filters], s.channels)));
      const excited = sigmoid(matmul(squeezed, weights("excite", [s.filters, s.channels], s.filters)));
      return { y: mul(x, reshape(excited, [s.batch, s.channels, 1, 1])) };
    },
  }),
];
