/**
 * A GPT in a hundred lines: token and position embeddings, blocks of causal attention and an MLP around residuals, a
 * head.
 *
 * Source: Radford et al.: Language Models are Unsupervised Multitask Learners, 2019; sizes and initialization as in
 * nanoGPT.
 */

import {
  add,
  attention,
  crossEntropy,
  gelu,
  init,
  input,
  type InputSpec,
  iota,
  matmul,
  type Model,
  model,
  named,
  nn,
  permute,
  reshape,
  type Shape,
  split,
  type Tensor,
  transpose,
} from "../mod.ts";

export interface GptOptions {
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  /** Tokens that it sees at once. */
  readonly context: number;
  /** Different tokens. */
  readonly symbols: number;
  /** Biases in linear layers and norms. Default true. */
  readonly bias?: boolean;
  /** Whether the head's weights are the token embedding's. Default false. */
  readonly tied?: boolean;
  /** Part of each residual branch that is dropped in training. Default 0. */
  readonly dropout?: number;
}

type Floats = Tensor<Shape, "f32">;

/** What queries find among keys and values, each [batch, heads, positions, width / heads]. */
export type Attend = (q: Floats, k: Floats, v: Floats) => Floats;

/** Tokens that stand elsewhere than at 0 … context - 1, and what each layer lets them see. */
export interface Reading {
  /** [positions] */
  readonly positions: Tensor<Shape, "i32">;
  attend(layer: number): Attend;
}

/** A GPT's layers: declared while a model is traced, then called. */
export interface GptNetwork {
  /** [batch, positions] → [batch, positions, width]; a whole context, of which each sees those before, by default. */
  hidden(tokens: Tensor<Shape, "i32">, reading?: Reading): Floats;
  /** [..., width] → [..., symbols] */
  logits(hidden: Floats): Floats;
}

/** Tokens and what follows each of them, [batch, context]; logits [batch, context, symbols] and their mean loss. */
export function gpt(options: GptOptions): Model<
  {
    tokens: InputSpec<readonly ["batch", number], "i32">;
    targets: InputSpec<readonly ["batch", number], "i32">;
  },
  { logits: Floats; loss: Tensor<readonly [], "f32"> }
> {
  const ids = input(["batch", options.context], "i32");
  return model({ tokens: ids, targets: ids }, ({ tokens, targets }) => {
    const network = gptNetwork(options);
    const logits = network.logits(network.hidden(tokens));
    return { logits, loss: crossEntropy(logits, targets) };
  });
}

export function gptNetwork(options: GptOptions): GptNetwork {
  const { layers, width, context, symbols, bias = true, tied = false, dropout = 0 } = options;
  const token = nn.embedding(symbols, width, { name: "token", init: init.normal(0.02) });
  const position = nn.embedding(context, width, { name: "position", init: init.normal(0.02) });
  const blocks = Array.from({ length: layers }, (_, layer) => named(`block${layer}`, () => block(options)));
  const last = nn.layerNorm(width, { name: "norm", bias });
  const head = tied ? undefined : dense("head", width, symbols, false);
  return {
    hidden(tokens, reading) {
      const embedded: Floats = add(token(tokens), position(reading?.positions ?? iota([context])));
      const first: Floats = nn.dropout(dropout)(embedded);
      return last(blocks.reduce((x, block, layer) => block(x, reading?.attend(layer)), first));
    },
    logits: (hidden) => head ? head(hidden) : matmul(hidden, transpose(token.table)),
  };
}

const causal: Attend = (q, k, v) => attention(q, k, v, { causal: true });

export function block(
  { layers, heads, width, bias = true, dropout = 0 }: GptOptions,
): (x: Floats, attend?: Attend) => Floats {
  // Residual paths add up: their last layers start smaller.
  const small = 0.02 / Math.sqrt(2 * layers);
  const drop = nn.dropout(dropout);
  const mix = named("attention", () => {
    const norm = nn.layerNorm(width, { name: "norm", bias });
    const qkv = dense("qkv", width, 3 * width, bias);
    const out = dense("out", width, width, bias, small);
    return (x: Floats, attend: Attend) => {
      const [q, k, v] = split(qkv(norm(x)), 3, -1).map((part) => toHeads(part, heads));
      return drop(out(fromHeads(attend(q!, k!, v!))));
    };
  });
  const think = named("mlp", () => {
    const norm = nn.layerNorm(width, { name: "norm", bias });
    const up = dense("up", width, 4 * width, bias);
    const down = dense("down", 4 * width, width, bias, small);
    return (x: Floats) => drop(down(gelu(up(norm(x)))));
  });
  return (x, attend = causal) => {
    const mixed: Floats = add(x, mix(x, attend));
    return add(mixed, think(mixed));
  };
}

const dense = (name: string, from: number, to: number, bias: boolean, deviation = 0.02) =>
  nn.linear(from, to, { name, bias, weightInit: init.normal(deviation), biasInit: init.zeros() });

/** [batch, context, width] → [batch, heads, context, width / heads] */
const toHeads = (x: Floats, heads: number): Floats => {
  const [batch, context, width] = x.shape;
  return permute(reshape(x, [batch!, context!, heads, Number(width) / heads]), [0, 2, 1, 3]);
};

/** [batch, heads, context, size] → [batch, context, heads · size] */
const fromHeads = (x: Floats): Floats => {
  const [batch, heads, context, size] = x.shape;
  return reshape(permute(x, [0, 2, 1, 3]), [batch!, context!, Number(heads) * Number(size)]);
};
