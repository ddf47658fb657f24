import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import {
  divideDims,
  elementsOf,
  mulDims,
  sameShape,
  type Shape,
  showShape,
} from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import type { Values } from "../../compiler/kernel/values.ts";
import type { Reshaped } from "../../compiler/model/shape_types.ts";
import { defineOp } from "../define_op.ts";

/** The same elements in row-major order under another shape. */
export const reshapeOp = defineOp<{ shape: Shape }>({
  name: "reshape",
  infer([x], { shape }) {
    if (elementsOf(x!.shape) !== elementsOf(shape)) {
      throw new ShapeError(
        `reshape: ${showShape(x!.shape)} has ${counted(elementsOf(x!.shape), "element")} and ${
          showShape(shape)
        } has ` +
          `${elementsOf(shape)}; they must be the same (one size may be -1 to have it worked out)`,
      );
    }
    return [{ shape, dtype: x!.dtype }];
  },
  gradient: ({ inputs: [x], cotangents: [g] }) => [g ? reshape(g, x!.shape) : null],
  reference: ([x]) => [x!.slice()],
  lower(k, [x], at, { outputs }) {
    const { shape } = outputs[0]!;
    const index = matchingAxes(x!.shape, shape).flatMap(({ from, to }) => {
      const position = linearize(k, at.slice(...to), shape.slice(...to));
      return delinearize(k, position, x!.shape.slice(...from));
    });
    return x!.at(index);
  },
  dims: ["shape"],
  view: true,
  samples: [
    { inputs: [{ shape: [4, 6] }], attrs: { shape: [2, 2, 3, 2] } },
    { inputs: [{ shape: [2, 3, 4] }], attrs: { shape: [24] } },
    { inputs: [{ shape: [6, 4] }], attrs: { shape: [8, 3] } },
    { inputs: [{ shape: [1] }], attrs: { shape: [] } },
  ],
});

/** A range of axes: the first, and the one behind the last. */
type Axes = readonly [start: number, end: number];

/**
 * The shortest runs of axes, in order, that hold equal numbers of elements in both shapes. So an axis that a reshape
 * leaves alone keeps its index as it is, also one that a guard allows to lie outside.
 */
export function matchingAxes(from: readonly number[], to: readonly number[]): { from: Axes; to: Axes }[] {
  if (from.includes(0)) return [{ from: [0, from.length], to: [0, to.length] }];
  const runs: { from: Axes; to: Axes }[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const start = [i, j] as const;
    let [a, b] = [1, 1];
    do {
      if (j === to.length || (a <= b && i < from.length)) a *= from[i++]!;
      else b *= to[j++]!;
    } while (a !== b);
    runs.push({ from: [start[0], i], to: [start[1], j] });
  }
  return runs;
}

/** The row-major position of an index. */
export function linearize(k: Values, at: readonly Value[], shape: readonly number[]): Value {
  const parts: (readonly [Value, number])[] = [];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    parts.push([at[axis]!, stride]);
    stride *= shape[axis]!;
  }
  return k.affine(parts);
}

/** The index at a row-major position; divisions that ranges decide disappear in the normal form. */
export function delinearize(k: Values, position: Value, shape: readonly number[]): Value[] {
  const index: Value[] = [];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis]!;
    const above = k.idiv(position, stride);
    // The leading axis needs no remainder: the position is in range.
    const leading = shape.slice(0, axis).every((d) => d === 1);
    index[axis] = size === 1 ? k.int(0) : leading ? above : k.imod(above, size);
    stride *= size;
  }
  return index;
}

/**
 * The same elements in the same order under another shape. Costs nothing: a view.
 *
 * @param shape The new shape; one size may be -1 and is worked out.
 * @throws ShapeError when the numbers of elements differ.
 * @example
 * ```ts
 * import { input, model, reshape } from "@weft/weft";
 *
 * model({ x: input(["batch", 28, 28], "f32") }, ({ x }) => ({ flat: reshape(x, ["batch", 784]), rows: reshape(x, [-1, 28]) }));
 * ```
 */
export function reshape<const T extends Shape, D extends DType>(
  x: Tensor<Shape, D>,
  shape: T,
): Tensor<Reshaped<T>, D> {
  let target: Shape = shape;
  if (shape.includes(-1)) {
    const rest = shape.filter((d) => d !== -1).reduce<Shape[number]>(mulDims, 1);
    const missing = divideDims(elementsOf(x.shape), rest);
    if (missing === undefined || shape.filter((d) => d === -1).length > 1) {
      throw new ShapeError(
        `reshape: the size -1 in ${showShape(shape)} cannot be worked out from ${showShape(x.shape)}`,
      );
    }
    target = shape.map((d) => d === -1 ? missing : d);
  }
  if (sameShape(x.shape, target)) return x as Tensor<Reshaped<T>, D>;
  return apply(reshapeOp, [x], { shape: target }) as Tensor<Reshaped<T>, D>;
}
