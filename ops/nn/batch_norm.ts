import { ShapeError } from "../../compiler/errors.ts";
import { elementsOf, type Shape, showShape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { parameter, setState, state } from "../../compiler/model/states.ts";
import { add, div, mul, sub } from "../elementwise/arithmetic.ts";
import { sizeOf } from "../leaves.ts";
import { stopGradient, whenTraining } from "../markers.ts";
import { batchNorm as normalized, channelStatistics } from "./batch_normalize.ts";
import { ones, zeros } from "./init.ts";
import { checkSize, inLayer, type LayerOptions, layerScope } from "./layer.ts";

export interface BatchNormOptions extends LayerOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  /** Part of the running statistics that a batch replaces. Default 0.1. */
  readonly momentum?: number;
}

export interface BatchNorm {
  /** @param x [N, C, …]. Call it once per model: its running statistics have one new value per run. */
  <S extends Shape>(x: Tensor<S, "f32">): Tensor<S, "f32">;
  readonly scale: Tensor<readonly [number], "f32">;
  readonly shift: Tensor<readonly [number], "f32">;
  readonly runningMean: Tensor<readonly [number], "f32">;
  readonly runningVariance: Tensor<readonly [number], "f32">;
}

type Rows = Tensor<Shape, "f32">;

/**
 * Batch normalization of [N, C, …] per channel: by the batch's own statistics in training programs, by running ones in
 * all others. Parameters `scale` and `shift`, states `mean` and `variance`.
 *
 * The running variance is the unbiased one, as elsewhere; the batch itself is normalized by the biased one.
 *
 * Source: Ioffe, Szegedy: Batch Normalization, 2015.
 *
 * @example
 * ```ts
 * import { input, model, nn, relu } from "@weft/weft";
 *
 * model({ x: input(["batch", 3, 32, 32], "f32") }, ({ x }) => {
 *   const conv = nn.conv(3, 16, [3, 3], { padding: 1 }), norm = nn.batchNorm(16);
 *   return { y: relu(norm(conv(x))) };
 * });
 * ```
 */
export function batchNorm(channels: number, options: BatchNormOptions = {}): BatchNorm {
  checkSize("batchNorm", "channels", channels);
  const { epsilon = 1e-5, momentum = 0.1 } = options;
  const scope = layerScope("batchNorm", options);
  const own = inLayer(scope, () => ({
    scale: parameter("scale", [channels], ones()),
    shift: parameter("shift", [channels], zeros()),
    runningMean: state("mean", [channels], zeros()),
    runningVariance: state("variance", [channels], ones()),
  }));
  let isCalled = false;
  const call = (x: Rows): Tensor => {
    if (isCalled) {
      throw new ShapeError(
        "batchNorm: the layer is called a second time, and its running statistics have one new value per run; make a " +
          "layer for each place, or concat what shares one",
      );
    }
    isCalled = true;
    if (x.shape.length < 2 || x.shape[1] !== channels) {
      throw new ShapeError(
        `batchNorm: axis 1 of ${showShape(x.shape)} is not ${channels}, which the layer was made for`,
      );
    }
    return inLayer(scope, () => {
      const batch = channelStatistics(x);
      const count = sizeOf(elementsOf(x.shape.filter((_, axis) => axis !== 1)), "f32");
      const unbiased = mul(batch.variance, div(count, sub(count, 1)));
      follow(own.runningMean, batch.mean, momentum);
      follow(own.runningVariance, unbiased, momentum);
      const statistics = {
        mean: whenTraining(batch.mean, own.runningMean as Rows),
        variance: whenTraining(batch.variance, own.runningVariance as Rows),
      };
      return normalized(x, { scale: own.scale, shift: own.shift, statistics, epsilon });
    });
  };
  return Object.assign(call as BatchNorm, own);
}

/** In training, the state moves a part of the way to a new value. */
function follow(running: Tensor<readonly [number], "f32">, value: Tensor, momentum: number): void {
  const moved = add(mul(running, 1 - momentum), mul(stopGradient(value), momentum)) as Tensor;
  setState(running as Tensor, whenTraining(moved, running as Tensor));
}
