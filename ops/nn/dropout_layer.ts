import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { whenTraining } from "../markers.ts";
import { dropout as drop } from "../random/dropout.ts";
import { inLayer, type LayerOptions, layerScope } from "./layer.ts";

/**
 * Dropout that drops in training programs and passes everything in all others.
 *
 * Each use draws numbers of its own; a layer that is called twice drops differently.
 *
 * @param rate Part that is dropped, from 0 up to below 1.
 * @example
 * ```ts
 * import { input, model, nn } from "@weft/weft";
 *
 * model({ x: input(["batch", 16], "f32") }, ({ x }) => ({ y: nn.dropout(0.1)(x) }));
 * ```
 */
export function dropout(
  rate: number,
  options: LayerOptions = {},
): <S extends Shape, D extends DType>(x: Tensor<S, D>) => Tensor<S, D> {
  const scope = layerScope("dropout", options);
  return (x) => inLayer(scope, () => whenTraining(drop(x, rate), x));
}
