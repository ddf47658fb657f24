/** Normalizations as functions over ops: mean and variance of a row, and what is made of them. */

import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { divideDims, elementsOf, type Shape, showShape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { composite } from "../composite.ts";
import { add, mul, square, sub } from "../elementwise/arithmetic.ts";
import { rsqrt } from "../elementwise/exponential.ts";
import { mean } from "../reduce/mean.ts";
import { reshape } from "../views/reshape.ts";

/** Options of the normalizations, whose tensors have x's dtype. */
export interface NormOptions<D extends DType = DType> {
  /** Multiplies the normalized features. */
  readonly scale?: Tensor<Shape, D> | undefined;
  /** Added after the scale. */
  readonly shift?: Tensor<Shape, D> | undefined;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/** x less its mean, over its deviation, along an axis. */
function standardized(x: Tensor, axis: number | readonly number[], epsilon: number): Tensor {
  const centered = sub(x, mean(x, axis, { keepDims: true }));
  // From the centered values: Σx² − (Σx)² cancels where the mean is large.
  const variance = mean(square(centered), axis, { keepDims: true });
  return mul(centered, rsqrt(add(variance, epsilon)));
}

function affine(x: Tensor, scale: Tensor | undefined, shift: Tensor | undefined): Tensor {
  const scaled = scale ? mul(x, scale) : x;
  return shift ? add(scaled, shift) : scaled;
}

/**
 * Layer normalization over the last axis.
 *
 * Source: Ba, Kiros, Hinton: Layer Normalization, 2016.
 *
 * @example
 * ```ts
 * import { input, layerNorm, model, rmsNorm } from "@weft/weft";
 *
 * model({ x: input(["batch", 16], "f32"), scale: input([16], "f32") }, ({ x, scale }) => {
 *   return { y: layerNorm(x, { scale }), z: rmsNorm(x, { scale }) };
 * });
 * ```
 */
export function layerNorm<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  { scale, shift, epsilon = 1e-5 }: NormOptions<D> = {},
): Tensor<S, D> {
  return composite("layerNorm", () => affine(standardized(x, -1, epsilon), scale, shift) as Tensor<S, D>);
}

/**
 * x over its root mean square along the last axis.
 *
 * Source: Zhang, Sennrich: Root Mean Square Layer Normalization, 2019.
 */
export function rmsNorm<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  { scale, epsilon = 1e-5 }: Omit<NormOptions<D>, "shift"> = {},
): Tensor<S, D> {
  return composite("rmsNorm", () => {
    const inverse = rsqrt(add(mean(square(x as Tensor), -1, { keepDims: true }), epsilon));
    return affine(mul(x as Tensor, inverse), scale, undefined) as Tensor<S, D>;
  });
}

/**
 * Normalization of x [N, C, …] over groups of channels, each with all its positions. `groups` 1 is a layer norm of the
 * whole sample, `groups` C an instance norm.
 *
 * Source: Wu, He: Group Normalization, 2018.
 *
 * @example
 * ```ts
 * import { groupNorm, input, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 32, 8, 8], "f32") }, ({ x }) => ({ y: groupNorm(x, 4), each: groupNorm(x, 32) }));
 * ```
 */
export function groupNorm<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  groups: number,
  { scale, shift, epsilon = 1e-5 }: NormOptions<D> = {},
): Tensor<S, D> {
  const [samples, channels, ...space] = x.shape;
  const perGroup = channels === undefined ? undefined : divideDims(channels, groups);
  if (samples === undefined || perGroup === undefined) {
    throw new ShapeError(
      `groupNorm: ${showShape(x.shape)} has no axis 1 of channels that falls into ${
        counted(groups, "group")
      }`,
    );
  }
  return composite("groupNorm", () => {
    const grouped = reshape(x as Tensor, [samples, groups, elementsOf([perGroup, ...space])]);
    const normal = reshape(standardized(grouped, -1, epsilon), x.shape);
    return affine(normal, channelwise(scale, space.length), channelwise(shift, space.length)) as Tensor<S, D>;
  });
}

/** [C] as [C, 1, …], which lines up with [N, C, …]. */
export const channelwise = (t: Tensor | undefined, spatial: number): Tensor | undefined =>
  t && reshape(t, [...t.shape, ...Array<number>(spatial).fill(1)]);
