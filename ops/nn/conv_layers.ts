import { counted } from "../../compiler/counted.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { ShapeError } from "../../compiler/errors.ts";
import type { Initializer } from "../../compiler/graph/graph.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Convolved } from "../../compiler/model/partial_types.ts";
import { parameter } from "../../compiler/model/states.ts";
import {
  conv as convolve,
  type ConvOptions,
  convTranspose as spread,
  type ConvTransposeOptions,
} from "../conv/conv.ts";
import { add } from "../elementwise/arithmetic.ts";
import { uniform } from "./init.ts";
import { checkSize, inLayer, type LayerOptions, layerScope } from "./layer.ts";
import { channelwise } from "./normalize.ts";

interface KernelOptions extends LayerOptions {
  /** Whether a bias per output channel is added. Default true. */
  readonly bias?: boolean;
  /** Default, as that of the bias: uniform within ±1/√(inputs of one output). */
  readonly kernelInit?: Initializer;
}

export type ConvLayerOptions = KernelOptions & ConvOptions;
export type ConvTransposeLayerOptions = KernelOptions & ConvTransposeOptions;

export interface ConvLayer<O extends number> {
  /** @param x [N, C, …] */
  <S extends Shape>(x: Tensor<S, "f32">): Tensor<Convolved<S, readonly [O, ...number[]]>, "f32">;
  readonly kernel: Tensor<readonly number[], "f32">;
  readonly bias: Tensor<readonly [number], "f32"> | undefined;
}

/**
 * Convolution of [N, C, …] over as many spatial axes as `size` has, with parameters `kernel` [O, C / groups, …] and
 * `bias` [O].
 *
 * @param size Of the kernel, per spatial axis.
 * @example
 * ```ts
 * import { input, model, nn, relu } from "@weft/weft";
 *
 * model({ x: input(["batch", 1, 28, 28], "f32") }, ({ x }) => {
 *   const first = nn.conv(1, 16, [3, 3], { padding: "same" });
 *   return { y: relu(first(x)) };
 * });
 * ```
 */
export function conv<const O extends number>(
  inputs: number,
  outputs: O,
  size: readonly number[],
  options: ConvLayerOptions = {},
): ConvLayer<O> {
  const groups = options.groups ?? 1;
  checkChannels("conv", inputs, outputs, size, groups);
  const own = kernelOf("conv", [outputs, inputs / groups, ...size], outputs, inputs / groups, options);
  const call = (x: Tensor<Shape, "f32">): Tensor => own.run(convolve, x, options);
  return Object.assign(call as ConvLayer<O>, { kernel: own.kernel, bias: own.bias });
}

/** The transpose of a convolution: [N, C, …] to a larger [N, O, …], with parameters `kernel` [C, O / groups, …], `bias`. */
export function convTranspose<const O extends number>(
  inputs: number,
  outputs: O,
  size: readonly number[],
  options: ConvTransposeLayerOptions = {},
): ConvLayer<O> {
  const groups = options.groups ?? 1;
  checkChannels("convTranspose", inputs, outputs, size, groups);
  const own = kernelOf(
    "convTranspose",
    [inputs, outputs / groups, ...size],
    outputs,
    inputs / groups,
    options,
  );
  const call = (x: Tensor<Shape, "f32">): Tensor => own.run(spread, x, options);
  return Object.assign(call as ConvLayer<O>, { kernel: own.kernel, bias: own.bias });
}

function kernelOf(
  kind: string,
  shape: readonly number[],
  outputs: number,
  channels: number,
  { bias = true, kernelInit, ...options }: KernelOptions,
) {
  const space = shape.slice(2);
  const bound = 1 / Math.sqrt(channels * space.reduce((n, d) => n * d, 1));
  const scope = layerScope(kind, options);
  const parameters = inLayer(scope, () => ({
    kernel: parameter("kernel", shape, kernelInit ?? uniform(-bound, bound)),
    bias: bias ? parameter("bias", [outputs], uniform(-bound, bound)) : undefined,
  }));
  return {
    ...parameters,
    run<O>(
      op: (x: Tensor<Shape, "f32">, kernel: Tensor<Shape, "f32">, options: O) => Tensor,
      x: Tensor<Shape, "f32">,
      options: O,
    ): Tensor {
      return inLayer(scope, () => {
        const y = op(x, parameters.kernel, options);
        return parameters.bias ? add(y, channelwise(parameters.bias, space.length)!) : y;
      });
    },
  };
}

function checkChannels(
  kind: string,
  inputs: number,
  outputs: number,
  size: readonly number[],
  groups: number,
): void {
  checkSize(kind, "inputs", inputs);
  checkSize(kind, "outputs", outputs);
  size.forEach((d, axis) => checkSize(kind, `size on axis ${axis}`, d));
  if (inputs % groups === 0 && outputs % groups === 0) return;
  throw new ShapeError(
    `${kind}: ${inputs} and ${outputs} channels do not fall into ${counted(groups, "group")} of equal size`,
  );
}
