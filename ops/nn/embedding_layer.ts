import type { Shape } from "../../compiler/graph/dim.ts";
import type { Initializer } from "../../compiler/graph/graph.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { parameter } from "../../compiler/model/states.ts";
import { embedding as embed } from "../indexing/gather.ts";
import { normal } from "./init.ts";
import { checkSize, inLayer, type LayerOptions, layerScope } from "./layer.ts";

export interface EmbeddingOptions extends LayerOptions {
  /** Default: normal with deviation 1. */
  readonly init?: Initializer;
}

export interface Embedding<V extends number, F extends number> {
  <S extends Shape>(ids: Tensor<S, "i32">): Tensor<readonly [...S, F], "f32">;
  /** [rows, features]: also the weight of a tied output layer, `matmul(x, transpose(e.table))`. */
  readonly table: Tensor<readonly [V, F], "f32">;
}

/**
 * A table of rows to look up, with one parameter `table` [rows, features].
 *
 * @example
 * ```ts
 * import { input, model, nn } from "@weft/weft";
 *
 * model({ ids: input(["batch", 64], "i32") }, ({ ids }) => {
 *   const tokens = nn.embedding(96, 128);
 *   return { x: tokens(ids) };
 * });
 * ```
 */
export function embedding<const V extends number, const F extends number>(
  rows: V,
  features: F,
  options: EmbeddingOptions = {},
): Embedding<V, F> {
  checkSize("embedding", "rows", rows);
  checkSize("embedding", "features", features);
  const scope = layerScope("embedding", options);
  const table = inLayer(scope, () => parameter("table", [rows, features], options.init ?? normal(1)));
  const call = <S extends Shape>(ids: Tensor<S, "i32">): Tensor<readonly [...S, F], "f32"> =>
    inLayer(scope, () => embed(table, ids) as Tensor as Tensor<readonly [...S, F], "f32">);
  return Object.assign(call, { table });
}
