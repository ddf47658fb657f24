import type { Dim, Shape } from "../../compiler/graph/dim.ts";
import type { Initializer } from "../../compiler/graph/graph.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { LastIs, WithLast } from "../../compiler/model/shape_types.ts";
import { parameter } from "../../compiler/model/states.ts";
import { add } from "../elementwise/arithmetic.ts";
import { matmul } from "../matmul.ts";
import { uniform } from "./init.ts";
import { checkLast, checkSize, inLayer, type LayerOptions, layerScope } from "./layer.ts";

export interface LinearOptions extends LayerOptions {
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean;
  /** Default: uniform within ±1/√inputs. */
  readonly weightInit?: Initializer;
  /** Default: uniform within ±1/√inputs. */
  readonly biasInit?: Initializer;
}

/** A layer: call it on a tensor; its parameters are there to be shared. */
export interface Linear<I extends Dim, O extends Dim> {
  <S extends Shape>(x: Tensor<S, "f32"> & LastIs<"linear", S, I>): Tensor<WithLast<S, O>, "f32">;
  /** [inputs, outputs] */
  readonly weight: Tensor<readonly [I, O], "f32">;
  readonly bias: Tensor<readonly [O], "f32"> | undefined;
}

/**
 * x·W + b over the last axis, with parameters `weight` [inputs, outputs] and `bias` [outputs].
 *
 * @example
 * ```ts
 * import { input, linear, model, relu } from "@weft/weft";
 *
 * model({ x: input(["batch", 784], "f32") }, ({ x }) => {
 *   const hidden = linear(784, 128), out = linear(128, 10);
 *   return { logits: out(relu(hidden(x))) };
 * });
 * ```
 */
export function linear<const I extends number, const O extends number>(
  inputs: I,
  outputs: O,
  options: LinearOptions = {},
): Linear<I, O> {
  checkSize("linear", "inputs", inputs);
  checkSize("linear", "outputs", outputs);
  const bound = 1 / Math.sqrt(Math.max(1, inputs));
  const { bias = true, weightInit = uniform(-bound, bound), biasInit = uniform(-bound, bound) } = options;
  const scope = layerScope("linear", options);
  const parameters = inLayer(scope, () => ({
    weight: parameter("weight", [inputs, outputs], weightInit),
    bias: bias ? parameter("bias", [outputs], biasInit) : undefined,
  }));
  const call = (x: Tensor): Tensor => {
    checkLast("linear", x, inputs);
    return inLayer(scope, () => {
      const y: Tensor = matmul(x, parameters.weight);
      return parameters.bias ? add(y, parameters.bias) : y;
    });
  };
  return Object.assign(call as Linear<I, O>, parameters);
}
