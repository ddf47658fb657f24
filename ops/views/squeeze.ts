/** Axes of size 1, added and removed. Both are reshapes. */

import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { type Shape, showShape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Expanded } from "../../compiler/model/shape_types.ts";
import { axesOf } from "./axis.ts";
import { reshape } from "./reshape.ts";

/**
 * Adds axes of size 1.
 *
 * @param axes Where they are in the result; negative from its end.
 * @example
 * ```ts
 * import { expandDims, input, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 8], "f32") }, ({ x }) => ({ column: expandDims(x, -1), both: expandDims(x, [0, 2]) }));
 * ```
 */
export function expandDims<S extends Shape, D extends DType, const X extends number | readonly number[]>(
  x: Tensor<S, D>,
  axes: X,
): Tensor<Expanded<S, X>, D> {
  const added: readonly number[] = typeof axes === "number" ? [axes] : axes;
  const rank = x.shape.length + added.length;
  const odd = added.find((a) => !Number.isInteger(a) || a < -rank || a >= rank);
  if (odd !== undefined) {
    throw new ShapeError(
      `expandDims: axis ${odd} cannot be added to ${showShape(x.shape)}; the result has ${
        counted(rank, "axis", "axes")
      }, so it must be ` +
        `between ${-rank} and ${rank - 1}`,
    );
  }
  const list = axesOf("expandDims", added, new Array<number>(rank).fill(1));
  let kept = 0;
  const shape = Array.from({ length: rank }, (_, a) => list.includes(a) ? 1 : x.shape[kept++]!);
  return reshape(x, shape) as Tensor as Tensor<Expanded<S, X>, D>;
}

/**
 * Removes axes of size 1.
 *
 * @param axes Which; by default all of size 1.
 * @throws ShapeError when a named axis has another size.
 * @example
 * ```ts
 * import { input, model, squeeze } from "@weft/weft";
 *
 * model({ x: input(["batch", 1, 8], "f32") }, ({ x }) => ({ y: squeeze(x, 1) })); // [batch, 8]
 * ```
 */
export function squeeze<D extends DType>(
  x: Tensor<Shape, D>,
  axes?: number | readonly number[],
): Tensor<Shape, D> {
  const list = axes === undefined
    ? x.shape.flatMap((d, a) => d === 1 ? [a] : [])
    : axesOf("squeeze", axes, x.shape);
  const wrong = list.find((a) => x.shape[a] !== 1);
  if (wrong !== undefined) {
    throw new ShapeError(
      `squeeze: axis ${wrong} of ${showShape(x.shape)} has size ${
        x.shape[wrong]
      }, not 1; take an element with ` +
        "slice(x, [...]), or reduce it",
    );
  }
  return reshape(x, x.shape.filter((_, a) => !list.includes(a)));
}
