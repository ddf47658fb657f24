/**
 * A GPT in sixty lines: token and position embeddings, blocks of causal attention and an MLP around residuals, a head.
 *
 * Source: Radford et al.: Language Models are Unsupervised Multitask Learners, 2019; sizes and initialization as in
 * nanoGPT.
 */

import {
  add,
  crossEntropy,
  gelu,
  init,
  input,
  iota,
  type Model,
  model,
  named,
  nn,
  permute,
  reshape,
  split,
  type Tensor,
  transpose,
  matmul,
} from "../mod.ts";
import { attention } from "../ops/nn/attention.ts";

export interface GptOptions {
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly context: number;
  readonly symbols: number;
  /** Biases in linear layers and norms. Default true. */
  readonly bias?: boolean;
  /** Whether the head's weights are the token embedding's. Default false. */
  readonly tied?: boolean;
}

/** Tokens and what follows each of them, [batch, context]; logits [batch, context, symbols] and their mean loss. */
export function gpt(options: GptOptions): Model<
  { tokens: ReturnType<typeof ids>; targets: ReturnType<typeof ids> },
  { logits: Tensor; loss: Tensor<readonly [], "f32"> }
> {
  const { layers, width, context, symbols, bias = true, tied = false } = options;
  return model({ tokens: ids(context), targets: ids(context) }, ({ tokens, targets }) => {
    const token = nn.embedding(symbols, width, { name: "token", init: init.normal(0.02) });
    const position = nn.embedding(context, width, { name: "position", init: init.normal(0.02) });
    let x: Tensor<readonly Dimension[], "f32"> = add(token(tokens), position(iota([context])));
    for (let layer = 0; layer < layers; layer++) x = named(`block${layer}`, () => block(x, options));
    const last = norm("norm", width, bias)(x);
    const logits = tied ? matmul(last, transpose(token.table)) : dense("head", width, symbols, false)(last);
    return { logits, loss: crossEntropy(logits, targets) };
  });
}

type Dimension = number | string;
const ids = (context: number) => input(["batch", context], "i32");

function block(x: Tensor<readonly Dimension[], "f32">, { layers, heads, width, bias = true }: GptOptions) {
  // Residual paths add up: their last layers start smaller.
  const small = 0.02 / Math.sqrt(2 * layers);
  const attended = named("attention", () => {
    const qkv = dense("qkv", width, 3 * width, bias)(norm("norm", width, bias)(x));
    const [q, k, v] = split(qkv, 3, -1).map((part) => toHeads(part, heads));
    const mixed = attention(q!, k!, v!, { causal: true });
    return dense("out", width, width, bias, small)(fromHeads(mixed as Tensor<readonly Dimension[], "f32">));
  });
  const y = add(x, attended);
  const expanded = named("mlp", () => {
    const up = dense("up", width, 4 * width, bias)(norm("norm", width, bias)(y));
    return dense("down", 4 * width, width, bias, small)(gelu(up));
  });
  return add(y, expanded);
}

const dense = (name: string, from: number, to: number, bias: boolean, deviation = 0.02) =>
  nn.linear(from, to, { name, bias, weightInit: init.normal(deviation), biasInit: init.zeros() });

const norm = (name: string, width: number, bias: boolean) => nn.layerNorm(width, { name, bias });

/** [batch, context, width] → [batch, heads, context, width / heads] */
const toHeads = (x: Tensor<readonly Dimension[], "f32">, heads: number) => {
  const [batch, context, width] = x.shape;
  return permute(reshape(x, [batch!, context!, heads, Number(width) / heads]), [0, 2, 1, 3]);
};

/** [batch, heads, context, size] → [batch, context, heads · size] */
const fromHeads = (x: Tensor<readonly Dimension[], "f32">) => {
  const [batch, heads, context, size] = x.shape;
  return reshape(permute(x, [0, 2, 1, 3]), [batch!, context!, Number(heads) * Number(size)]);
};
