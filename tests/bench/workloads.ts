/**
 * What is measured side by side, by name.
 * @module
 */

import {
  causalAttention,
  causalAttentionBackward,
  causalAttentionBackwardBesideFive,
  causalAttentionBesideThree,
} from "./workloads/attention.ts";
import { convolution, convolutionByData, convolutionByWeights } from "./workloads/convolutions.ts";
import { product } from "./workloads/products.ts";
import { normBackward, rowNorm, rowSoftmax, softmaxBackward } from "./workloads/rows.ts";
import { adamWUpdate, gptStep, mlpStep } from "./workloads/training.ts";
import { chain, total } from "./workloads/vectors.ts";
import type { Workload } from "./workloads/workload.ts";

/**
 * Each is made when it is measured: the numbers of all of them would fill the memory. Peers run attention
 * once, beside the first of the kernels by hand.
 */
export const workloads: Readonly<Record<string, () => Workload>> = {
  "matmul 256": () => product([256, 256, 256], { peer: "matmul256", rows: 64 }),
  "matmul 512": () => product([512, 512, 512], { peer: "matmul512", rows: 256 }),
  "matmul 1024": () => product([1024, 1024, 1024], { peer: "matmul1024", rows: 512 }),
  "A·Bᵀ 512": () => product([512, 512, 512], { transposedB: true, peerProgram: "matmul_nt", rows: 256 }),
  "Aᵀ·B 512": () => product([512, 512, 512], { transposedA: true, peerProgram: "matmul_tn", rows: 128 }),
  "batched 16×128×64×128": () =>
    product([128, 64, 128], { batch: 16, seeds: [3, 4], peer: "bmm", rows: 128 }),
  "gelu(ax + b)·sigmoid(x), 2^22": chain,
  "sum 2^22": total,
  "softmax 4096×1024": rowSoftmax,
  "softmax backward 4096×1024": softmaxBackward,
  "layer norm 4096×768": rowNorm,
  "layer norm backward 4096×768": normBackward,
  "conv 8×32×56×56, 64 of 3×3": convolution,
  "conv backward by data": convolutionByData,
  "conv backward by weights": convolutionByWeights,
  "causal attention 8×1024×64": () => ({ ...causalAttention(), peerProgram: "attention" }),
  "causal attention, by hand in 3 kernels": () => causalAttentionBesideThree(),
  "causal attention, by hand in strips of 128": () => causalAttentionBesideThree(128),
  "causal attention backward": () => ({ ...causalAttentionBackward(), peerProgram: "attention_backward" }),
  "causal attention backward, by hand in 5 kernels": () => causalAttentionBackwardBesideFive(),
  "causal attention backward, by hand in strips": () => causalAttentionBackwardBesideFive(128),
  "AdamW, 1,000,000 parameters": adamWUpdate,
  "MLP step 784-512-256-10, Adam, batch 128": mlpStep,
  "GPT step 4 layers, 128 wide, 64 × 8 tokens, AdamW": gptStep,
};
