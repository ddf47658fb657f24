import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { sameShape, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import { composite } from "../composite.ts";
import { add, mul, square, sub } from "../elementwise/arithmetic.ts";
import { rsqrt } from "../elementwise/exponential.ts";
import { mean } from "../reduce/mean.ts";
import { channelwise, type NormOptions } from "./normalize.ts";

/** Mean and variance of each channel. */
export interface ChannelStatistics<D extends DType = DType> {
  /** [C] */
  readonly mean: Tensor<Shape, D>;
  /** [C]; of all elements of a channel, not the unbiased estimate. */
  readonly variance: Tensor<Shape, D>;
}

/**
 * Mean and variance [C] of each channel of x [N, C, …], over all samples and positions.
 *
 * @throws ShapeError where x has no axis 1.
 * @example
 * ```ts
 * import { channelStatistics, input, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 3, 8, 8], "f32") }, ({ x }) => {
 *   const { mean, variance } = channelStatistics(x); // [3] each
 *   return { mean, variance };
 * });
 * ```
 */
export function channelStatistics<D extends DType>(x: Tensor<Shape, D>): ChannelStatistics<D> {
  const axes = axesOfChannel("channelStatistics", x);
  const average: Tensor = mean(x as Tensor, axes);
  const along = channelwise(average, x.shape.length - 2)!;
  const variance: Tensor = mean(square(sub(x as Tensor, along)), axes);
  return { mean: average, variance } as unknown as ChannelStatistics<D>;
}

/**
 * Normalization of each channel of x [N, C, …] by given statistics, or by its own. The layer `nn.batchNorm` keeps
 * running statistics for it.
 *
 * Source: Ioffe, Szegedy: Batch Normalization, 2015.
 *
 * @param options `scale`, `shift`, `statistics`: tensors [C] of x's dtype.
 * @throws ShapeError when something is not [C].
 * @example
 * ```ts
 * import { batchNorm, input, model } from "@weft/weft";
 *
 * const floats = input([16], "f32");
 * model({ x: input(["batch", 16, 8, 8], "f32"), mean: floats, variance: floats }, ({ x, mean, variance }) => {
 *   return { own: batchNorm(x), given: batchNorm(x, { statistics: { mean, variance } }) };
 * });
 * ```
 */
export function batchNorm<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  { scale, shift, statistics, epsilon = 1e-5 }: NormOptions<D> & {
    readonly statistics?: ChannelStatistics<D>;
  } = {},
): Tensor<S, D> {
  axesOfChannel("batchNorm", x);
  const channels = [x.shape[1]!];
  for (const [name, t] of Object.entries({ scale, shift, ...statistics })) {
    if (!t || (sameShape(t.shape, channels) && t.dtype === x.dtype as DType)) continue;
    throw new ShapeError(
      `batchNorm: ${name} is ${showType(t)}; for ${showType(x)} it must be ${
        showType({ shape: channels, dtype: x.dtype })
      }`,
    );
  }
  return composite("batchNorm", () => {
    const { mean: center, variance } = statistics ?? channelStatistics(x as Tensor);
    const along = (t: Tensor): Tensor => channelwise(t, x.shape.length - 2)!;
    // The factor per channel is made of channels alone: one multiplication and one addition per element remain.
    const inverse: Tensor = rsqrt(add(variance as Tensor, epsilon));
    const factor = scale ? mul(inverse, scale as Tensor) : inverse;
    const scaled = mul(sub(x as Tensor, along(center as Tensor)), along(factor));
    return shift ? add(scaled, along(shift as Tensor)) : scaled;
  }) as Tensor as Tensor<S, D>;
}

function axesOfChannel(op: string, x: Tensor): number[] {
  if (x.shape.length < 2) {
    throw new ShapeError(`${op}: ${showShape(x.shape)} has no axis 1 of channels; x is [N, C, …]`);
  }
  return x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
}
