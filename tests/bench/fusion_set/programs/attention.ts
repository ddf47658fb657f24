/** Attention and its kin, in plain ops. */

import {
  add,
  concat,
  div,
  elu,
  expandDims,
  greaterEqual,
  iota,
  layerNorm,
  matmul,
  mul,
  rmsNorm,
  sigmoid,
  sliceAxis,
  softmax,
  sub,
  sum,
  tanh,
  type Tensor,
  transpose,
  where,
} from "../../../../mod.ts";
import { floats, type FusionProgram, program, weights } from "../program.ts";

type Heads = Tensor<readonly [number, number, number], "f32">;

const small = { heads: 2, positions: 6, size: 8 };
const full = { heads: 8, positions: 256, size: 64 };

const operand = (name: string, { heads, positions, size }: typeof small): Heads =>
  floats(name, [heads, positions, size]);

/** q·kᵀ/√d */
const scores = (q: Heads, k: Heads): Heads =>
  mul(matmul(q, transpose(k)), 1 / Math.sqrt(q.shape[2])) as Heads;

/** Where a query may see a key. */
const causal = (positions: number) =>
  greaterEqual(expandDims(iota([positions]), 1), expandDims(iota([positions]), 0)) as Tensor<
    readonly [number, number],
    "bool"
  >;

/** Turns pairs of features of each position: the first half of them are the real parts, the second the imaginary. */
function rotation({ positions, size }: typeof small): (x: Heads) => Heads {
  const half = size / 2;
  const [cos, sin] = [floats("cos", [positions, half]), floats("sin", [positions, half])];
  return (x) => {
    const a = sliceAxis(x, 2, { stop: half }) as Heads;
    const b = sliceAxis(x, 2, { start: half }) as Heads;
    return concat([sub(mul(a, cos), mul(b, sin)), add(mul(b, cos), mul(a, sin))], 2) as Tensor as Heads;
  };
}

export const attentions: readonly FusionProgram[] = [
  program({
    name: "causal attention",
    ops: ["gemm", "scale", "mask", "softmax", "gemm"],
    source: "Vaswani et al. 2017; FlashAttention, Dao et al. 2022",
    small,
    full,
    make(s) {
      const weight = where(causal(s.positions), scores(operand("q", s), operand("k", s)), -Infinity) as Heads;
      return { y: matmul(softmax(weight), operand("v", s)) };
    },
  }),
  program({
    name: "attention with a bias",
    ops: ["gemm", "scale", "add", "softmax", "gemm"],
    source: "ALiBi, Press et al. 2021; Swin, Liu et al. 2021",
    small,
    full,
    make(s) {
      const bias = floats("bias", [s.heads, s.positions, s.positions]);
      const weight = add(scores(operand("q", s), operand("k", s)), bias) as Heads;
      return { y: matmul(softmax(weight), operand("v", s)) };
    },
  }),
  program({
    name: "attention with normalized q and k",
    ops: ["RMS norm", "RMS norm", "gemm", "scale", "softmax", "gemm"],
    source: "Henry et al.: Query-Key Normalization, 2020; ViT-22B",
    small,
    full,
    make(s) {
      const [q, k] = [rmsNorm(operand("q", s)), rmsNorm(operand("k", s))];
      return { y: matmul(softmax(scores(q, k)), operand("v", s)) };
    },
  }),
  program({
    name: "attention with a soft cap",
    ops: ["gemm", "scale", "tanh", "scale", "softmax", "gemm"],
    source: "Gemma 2, 2024; FlexAttention's example, Dong et al. 2024",
    small,
    full,
    make(s) {
      const capped = mul(tanh(mul(scores(operand("q", s), operand("k", s)), 1 / 20)), 20);
      return { y: matmul(softmax(capped), operand("v", s)) };
    },
  }),
  program({
    name: "sigmoid attention",
    ops: ["gemm", "scale", "bias", "sigmoid", "gemm"],
    source: "Ramapuram et al.: Theory, Analysis, and Best Practices for Sigmoid Self-Attention, 2024",
    small,
    full,
    make(s) {
      const shifted = sub(scores(operand("q", s), operand("k", s)), Math.log(s.positions));
      return { y: matmul(sigmoid(shifted), operand("v", s)) };
    },
  }),
  program({
    name: "linear attention",
    ops: ["elu", "elu", "gemm", "sum", "gemm", "dot", "divide"],
    source: "Katharopoulos et al.: Transformers are RNNs, 2020",
    small,
    full: { heads: 8, positions: 2048, size: 32 },
    make(s) {
      const positive = (x: Heads): Heads => add(elu(x), 1);
      const [q, k, v] = [positive(operand("q", s)), positive(operand("k", s)), operand("v", s)];
      const memory = matmul(transpose(k), v) as Tensor as Heads;
      const total = sum(k, 1, { keepDims: true });
      return { y: div(matmul(q, memory), sum(mul(q, total), -1, { keepDims: true })) };
    },
  }),
  program({
    name: "rotary embedding",
    ops: ["split", "multiply", "multiply", "subtract", "multiply", "multiply", "add", "concat"],
    source: "Su et al.: RoFormer, 2021",
    small,
    full: { heads: 16, positions: 1024, size: 64 },
    make: (s) => ({ y: rotation(s)(operand("q", s)) }),
  }),
  program({
    name: "rotary attention",
    ops: ["rotary", "rotary", "gemm", "scale", "softmax", "gemm"],
    source: "RoFormer, Su et al. 2021; LLaMA",
    small,
    full,
    make(s) {
      const turned = rotation(s);
      const [q, k] = [turned(operand("q", s)), turned(operand("k", s))];
      return { y: matmul(softmax(scores(q, k)), operand("v", s)) };
    },
  }),
  program({
    name: "layer norm and projection of q, k, v",
    ops: ["layer norm", "gemm", "bias", "gemm", "bias", "gemm", "bias"],
    source: "a transformer's block before its attention; Vaswani et al. 2017",
    small: { rows: 5, width: 8 },
    full: { rows: 2048, width: 64 },
    make({ rows, width }) {
      const [scale, shift] = [floats("scale", [width]), floats("shift", [width])];
      const x = layerNorm(floats("x", [rows, width]), { scale, shift });
      const projected = (name: string) =>
        add(matmul(x, weights(name, [width, width], width)), floats(`${name}_bias`, [width]));
      return { q: projected("q"), k: projected("k"), v: projected("v") };
    },
  }),
];
