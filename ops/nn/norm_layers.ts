/** Layers of normalizations that look at one sample at a time. */

import { counted } from "../../compiler/counted.ts";
import type { Dim, Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { LastIs } from "../../compiler/model/shape_types.ts";
import { parameter } from "../../compiler/model/states.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { ones, zeros } from "./init.ts";
import { checkLast, checkSize, inLayer, type LayerOptions, layerScope } from "./layer.ts";
import * as functions from "./normalize.ts";

export interface NormLayerOptions extends LayerOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Whether there is a shift. Default true. */
  readonly bias?: boolean;
}

export interface NormLayer<Kind extends string, F extends Dim> {
  <S extends Shape>(x: Tensor<S, "f32"> & LastIs<Kind, S, F>): Tensor<S, "f32">;
  readonly scale: Tensor<readonly [F], "f32">;
  readonly shift: Tensor<readonly [F], "f32"> | undefined;
}

/**
 * Layer normalization over the last axis, with parameters `scale` (from 1) and `shift` (from 0).
 *
 * @example
 * ```ts
 * import { input, model, nn } from "@weft/weft";
 *
 * model({ x: input(["batch", 64, 128], "f32") }, ({ x }) => ({ y: nn.layerNorm(128)(x) }));
 * ```
 */
export function layerNorm<const F extends number>(
  features: F,
  options: NormLayerOptions = {},
): NormLayer<"layerNorm", F> {
  checkSize("layerNorm", "features", features);
  const { bias = true, epsilon = 1e-5 } = options;
  const scope = layerScope("layerNorm", options);
  const { scale, shift } = inLayer(scope, () => ({
    scale: parameter("scale", [features], ones()),
    shift: bias ? parameter("shift", [features], zeros()) : undefined,
  }));
  const call = (x: Tensor): Tensor => {
    checkLast("layerNorm", x, features);
    return inLayer(scope, () => functions.layerNorm(x, { scale, shift, epsilon }));
  };
  return Object.assign(call as NormLayer<"layerNorm", F>, { scale, shift });
}

/** Root-mean-square normalization over the last axis, with one parameter `scale`. */
export function rmsNorm<const F extends number>(
  features: F,
  options: Omit<NormLayerOptions, "bias"> = {},
): NormLayer<"rmsNorm", F> {
  checkSize("rmsNorm", "features", features);
  const scope = layerScope("rmsNorm", options);
  const scale = inLayer(scope, () => parameter("scale", [features], ones()));
  const call = (x: Tensor): Tensor => {
    checkLast("rmsNorm", x, features);
    return inLayer(scope, () => functions.rmsNorm(x, { scale, epsilon: options.epsilon ?? 1e-5 }));
  };
  return Object.assign(call as NormLayer<"rmsNorm", F>, { scale, shift: undefined });
}

export interface ChannelNorm {
  /** @param x [N, C, …] */
  <S extends Shape>(x: Tensor<S, "f32">): Tensor<S, "f32">;
  readonly scale: Tensor<readonly [number], "f32">;
  readonly shift: Tensor<readonly [number], "f32">;
}

/**
 * Group normalization of [N, C, …], with parameters `scale` and `shift` per channel.
 *
 * @example
 * ```ts
 * import { input, model, nn } from "@weft/weft";
 *
 * model({ x: input(["batch", 32, 8, 8], "f32") }, ({ x }) => ({ y: nn.groupNorm(4, 32)(x) }));
 * ```
 */
export function groupNorm(groups: number, channels: number, options: NormLayerOptions = {}): ChannelNorm {
  checkSize("groupNorm", "groups", groups);
  checkSize("groupNorm", "channels", channels);
  if (channels % groups !== 0) {
    throw new ShapeError(
      `groupNorm: ${channels} channels do not fall into ${counted(groups, "group")} of equal size`,
    );
  }
  const scope = layerScope("groupNorm", options);
  const { scale, shift } = inLayer(scope, () => ({
    scale: parameter("scale", [channels], ones()),
    shift: parameter("shift", [channels], zeros()),
  }));
  const call = <S extends Shape>(x: Tensor<S, "f32">): Tensor<S, "f32"> =>
    inLayer(scope, () => functions.groupNorm(x, groups, { scale, shift, epsilon: options.epsilon ?? 1e-5 }));
  return Object.assign(call, { scale, shift });
}
