import { ShapeError } from "../../compiler/errors.ts";
import { type Shape, showShape } from "../../compiler/graph/dim.ts";
import type { Initializer } from "../../compiler/graph/graph.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { LastIs } from "../../compiler/model/shape_types.ts";
import { permute } from "../views/permute.ts";
import { reshape } from "../views/reshape.ts";
import { split } from "../views/split.ts";
import { attention } from "./attention.ts";
import { checkLast, checkSize, inLayer, type LayerOptions, layerScope } from "./layer.ts";
import { linear } from "./linear.ts";

export interface SelfAttentionOptions extends LayerOptions {
  /** Whether a position sees only itself and those before it. Default false. */
  readonly causal?: boolean;
  /** Whether the projections have biases. Default true. */
  readonly bias?: boolean;
  readonly weightInit?: Initializer;
}

export interface SelfAttentionCall {
  /** True where a query may see a key; broadcasts against [batch, heads, positions, positions]. */
  readonly mask?: Tensor<Shape, "bool">;
}

export interface SelfAttention<F extends number> {
  /** @param x [batch, positions, features] */
  <S extends Shape>(
    x: Tensor<S, "f32"> & LastIs<"selfAttention", S, F>,
    options?: SelfAttentionCall,
  ): Tensor<S, "f32">;
}

/**
 * Multi-head attention of positions to each other: one projection to queries, keys and values (`qkv`), attention per
 * head, and a projection of what the heads found (`out`).
 *
 * Source: Vaswani et al.: Attention Is All You Need, 2017.
 *
 * @param features Size of the last axis, which the heads share among them.
 * @example
 * ```ts
 * import { add, input, model, nn } from "@weft/weft";
 *
 * model({ x: input(["batch", 64, 128], "f32") }, ({ x }) => {
 *   const attend = nn.selfAttention(128, 4, { causal: true });
 *   return { y: add(x, attend(nn.layerNorm(128)(x))) };
 * });
 * ```
 */
export function selfAttention<const F extends number>(
  features: F,
  heads: number,
  options: SelfAttentionOptions = {},
): SelfAttention<F> {
  checkSize("selfAttention", "features", features);
  checkSize("selfAttention", "heads", heads);
  if (features % heads !== 0) {
    throw new ShapeError(`selfAttention: ${features} features do not fall into ${heads} heads of equal size`);
  }
  const { causal = false, bias = true, weightInit } = options;
  const own = { bias, ...(weightInit ? { weightInit } : {}) };
  const scope = layerScope("selfAttention", options);
  const [qkv, out] = inLayer(scope, () => [
    linear(features, 3 * features, { ...own, name: "qkv" }),
    linear(features, features, { ...own, name: "out" }),
  ]);
  const call = (x: Tensor<Shape, "f32">, { mask }: SelfAttentionCall = {}): Tensor => {
    checkLast("selfAttention", x, features);
    const [batch, positions] = x.shape;
    if (x.shape.length !== 3) {
      throw new ShapeError(`selfAttention: ${showShape(x.shape)} must be [batch, positions, ${features}]`);
    }
    return inLayer(scope, () => {
      const [q, k, v] = split(qkv!(x), 3).map((part) =>
        permute(reshape(part, [batch!, positions!, heads, features / heads]), [0, 2, 1, 3])
      );
      const found = attention(q!, k!, v!, mask ? { causal, mask } : { causal });
      return out!(reshape(permute(found, [0, 2, 1, 3]), x.shape));
    });
  };
  return call as SelfAttention<F>;
}
