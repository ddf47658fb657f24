/** Repetition along axes that are there already. Broadcasts between reshapes: views. */

import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { mulDims, type Shape, showShape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { axisOf } from "./axis.ts";
import { broadcastTo } from "./broadcast.ts";
import { reshape } from "./reshape.ts";

/**
 * The whole tensor several times along each axis: `tile([1, 2], [2])` is [1, 2, 1, 2].
 *
 * @param times One number per axis, aligned at the last axes; a longer list adds leading axes.
 * @example
 * ```ts
 * import { input, model, repeat, tile } from "@weft/weft";
 *
 * model({ x: input([2, 3], "f32") }, ({ x }) => ({ wide: tile(x, [1, 4]), twice: repeat(x, 2, 0) })); // [2, 12], [4, 3]
 * ```
 */
export function tile<D extends DType>(x: Tensor<Shape, D>, times: readonly number[]): Tensor<Shape, D> {
  const rank = Math.max(x.shape.length, times.length);
  const shape = [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape];
  const repeats = [...new Array<number>(rank - times.length).fill(1), ...times];
  checkTimes("tile", repeats, x.shape);
  // [n] → [1, n] → [times, n] → [times·n]
  const between = reshape(x, shape.flatMap((d) => [1, d]));
  const repeated = broadcastTo(between, shape.flatMap((d, a) => [repeats[a]!, d]));
  return reshape(repeated, shape.map((d, a) => mulDims(d, repeats[a]!)));
}

/** Each element several times in a row along an axis: `repeat([1, 2], 2)` is [1, 1, 2, 2]. */
export function repeat<D extends DType>(x: Tensor<Shape, D>, times: number, axis = -1): Tensor<Shape, D> {
  const at = axisOf("repeat", axis, x.shape);
  checkTimes("repeat", [times], x.shape);
  const between = reshape(x, x.shape.flatMap((d, a) => a === at ? [d, 1] : [d]));
  const repeated = broadcastTo(between, x.shape.flatMap((d, a) => a === at ? [d, times] : [d]));
  return reshape(repeated, x.shape.map((d, a) => a === at ? mulDims(d, times) : d));
}

function checkTimes(op: string, times: readonly number[], shape: Shape): void {
  const wrong = times.find((n) => !Number.isInteger(n) || n < 0);
  if (wrong === undefined) return;
  throw new ShapeError(
    `${op}: ${showShape(shape)} cannot be repeated ${counted(wrong, "time")}; use whole numbers from 0`,
  );
}
