/** Axes as users give them: negative from the end, one or several. */

import { ShapeError } from "../../compiler/errors.ts";
import { type Shape, showShape } from "../../compiler/graph/dim.ts";

/** The axis as a number from 0, or an error that names the shape. */
export function axisOf(op: string, axis: number, shape: Shape): number {
  const from0 = axis < 0 ? axis + shape.length : axis;
  if (Number.isInteger(from0) && from0 >= 0 && from0 < shape.length) return from0;
  throw new ShapeError(
    `${op}: axis ${axis} is not an axis of ${showShape(shape)}; it must be between ${-shape.length} and ${
      shape.length - 1
    }`,
  );
}

/** Several axes, sorted and different; undefined means all. */
export function axesOf(op: string, axes: number | readonly number[] | undefined, shape: Shape): number[] {
  if (axes === undefined) return shape.map((_, i) => i);
  const given = typeof axes === "number" ? [axes] : axes;
  const list = given.map((a) => axisOf(op, a, shape));
  const sorted = [...new Set(list)].sort((a, b) => a - b);
  if (sorted.length !== list.length) {
    const twice = list.find((a, i) => list.indexOf(a) !== i);
    throw new ShapeError(
      `${op}: the axes [${given.join(", ")}] of ${showShape(shape)} name axis ${twice} twice; name each once`,
    );
  }
  return sorted;
}
