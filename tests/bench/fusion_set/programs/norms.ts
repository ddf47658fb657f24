/** Norms of rows and channels with what stands around them. */

import {
  add,
  batchNorm,
  gelu,
  layerNorm,
  less,
  matmul,
  mean,
  mul,
  relu,
  rmsNorm,
  rsqrt,
  softmax,
  square,
  sub,
  sum,
  tanh,
  where,
} from "../../../../mod.ts";
import { bits, floats, type FusionProgram, program, weights } from "../program.ts";

const small = { rows: 5, width: 12 };
const full = { rows: 4096, width: 256 };

export const norms: readonly FusionProgram[] = [
  program({
    name: "residual layer norm",
    ops: ["add", "layer norm"],
    source: "Vaswani et al. 2017; Triton's and Apex's fused kernels",
    small,
    full,
    make({ rows, width }) {
      const stream = add(floats("x", [rows, width]), floats("branch", [rows, width]));
      const [scale, shift] = [floats("scale", [width]), floats("shift", [width])];
      return { stream, y: layerNorm(stream, { scale, shift }) };
    },
  }),
  program({
    name: "residual RMS norm",
    ops: ["add", "RMS norm"],
    source: "Zhang, Sennrich 2019; LLaMA",
    small,
    full,
    make({ rows, width }) {
      const stream = add(floats("x", [rows, width]), floats("branch", [rows, width]));
      return { stream, y: rmsNorm(stream, { scale: floats("scale", [width]) }) };
    },
  }),
  program({
    name: "bias dropout residual layer norm",
    ops: ["bias", "mask", "scale", "add", "layer norm"],
    source: "BERT's output layer; DeepSpeed's and Megatron's fused kernels",
    small,
    full,
    make({ rows, width }) {
      const biased = add(floats("x", [rows, width]), floats("bias", [width]));
      const dropped = mul(mul(biased, bits("kept", [rows, width], 0.9)), 1 / 0.9);
      const [scale, shift] = [floats("scale", [width]), floats("shift", [width])];
      return { y: layerNorm(add(floats("stream", [rows, width]), dropped), { scale, shift }) };
    },
  }),
  program({
    name: "pre-norm projection",
    ops: ["layer norm", "gemm", "bias"],
    source: "Xiong et al.: On Layer Normalization in the Transformer Architecture, 2020",
    small,
    full: { rows: 4096, width: 128 },
    make({ rows, width }) {
      const [scale, shift] = [floats("scale", [width]), floats("shift", [width])];
      const normal = layerNorm(floats("x", [rows, width]), { scale, shift });
      return { y: add(matmul(normal, weights("w", [width, width], width)), floats("bias", [width])) };
    },
  }),
  program({
    name: "adaptive layer norm",
    ops: ["layer norm", "scale", "shift", "gate", "add"],
    source: "DiT; Peebles, Xie 2022",
    small,
    full,
    make({ rows, width }) {
      const x = floats("x", [rows, width]);
      const [scale, shift] = [floats("scale", [1, width]), floats("shift", [1, width])];
      const modulated = add(mul(layerNorm(x), add(scale, 1)), shift);
      return { y: add(x, mul(floats("gate", [1, width]), modulated)) };
    },
  }),
  program({
    name: "dynamic tanh",
    ops: ["scale", "tanh", "scale", "shift", "add"],
    source: "Zhu et al.: Transformers without Normalization, 2025",
    small,
    full,
    make({ rows, width }) {
      const x = floats("x", [rows, width]);
      const bent = tanh(mul(x, floats("alpha", [1])));
      return { y: add(x, add(mul(bent, floats("scale", [width])), floats("shift", [width]))) };
    },
  }),
  program({
    name: "masked softmax",
    ops: ["scale", "mask", "softmax"],
    source: "Megatron's fused scale-mask-softmax; Shoeybi et al. 2019",
    small,
    full,
    make({ rows, width }) {
      const seen = less(floats("hidden", [rows, width]), 0.5);
      return { y: softmax(where(seen, mul(floats("x", [rows, width]), 0.125), -1e4)) };
    },
  }),
  program({
    name: "L2 normalize and compare",
    ops: ["square", "sum", "rsqrt", "multiply", "dot"],
    source: "cosine similarity; FaceNet, Schroff et al. 2015",
    small,
    full,
    make({ rows, width }) {
      const unit = (name: string) => {
        const x = floats(name, [rows, width]);
        return mul(x, rsqrt(add(sum(square(x), -1, { keepDims: true }), 1e-6)));
      };
      return { y: sum(mul(unit("a"), unit("b")), -1) };
    },
  }),
  program({
    name: "batch norm relu, training",
    ops: ["mean", "variance", "normalize", "scale", "shift", "relu"],
    source: "Ioffe, Szegedy 2015",
    small: { batch: 2, channels: 4, side: 5 },
    full: { batch: 16, channels: 32, side: 56 },
    make({ batch, channels, side }) {
      const [scale, shift] = [floats("scale", [channels]), floats("shift", [channels])];
      return { y: relu(batchNorm(floats("x", [batch, channels, side, side]), { scale, shift })) };
    },
  }),
  program({
    name: "weight standardization",
    ops: ["mean", "subtract", "variance", "rsqrt", "multiply", "gain"],
    source: "Qiao et al. 2019; Brock et al. 2021",
    small,
    full,
    make({ rows, width }) {
      const w = floats("w", [rows, width]);
      const centered = sub(w, mean(w, -1, { keepDims: true }));
      const deviation = rsqrt(add(mul(mean(square(centered), -1, { keepDims: true }), width), 1e-4));
      return { y: mul(mul(centered, deviation), floats("gain", [rows, 1])) };
    },
  }),
  program({
    name: "bias gelu residual",
    ops: ["bias", "gelu", "scale", "add"],
    source: "Megatron's fused bias-GELU with LayerScale; Touvron et al. 2021",
    small,
    full,
    make({ rows, width }) {
      const inner = gelu(add(floats("x", [rows, width]), floats("bias", [width])));
      return { y: add(floats("stream", [rows, width]), mul(inner, floats("scale", [width]))) };
    },
  }),
];
