import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { sameShape, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { MayBe } from "../../compiler/model/shape_types.ts";
import { defineOp } from "../define_op.ts";

/** x, whose shape must turn out to be the one given once all sizes are known. */
export const expectShapeOp = defineOp<{ shape: Shape }>({
  name: "expectShape",
  infer([x], { shape }) {
    const differs = x!.shape.length !== shape.length ||
      x!.shape.some((d, axis) =>
        typeof d === "number" && typeof shape[axis] === "number" && d !== shape[axis]
      );
    if (differs) {
      const axis = x!.shape.findIndex((d, a) => d !== shape[a]);
      const where = x!.shape.length === shape.length
        ? `axis ${axis} is ${x!.shape[axis]} and should be ${shape[axis]}`
        : `it has ${counted(x!.shape.length, "axis", "axes")} and should have ${shape.length}`;
      throw new ShapeError(
        `expectShape: the shape is ${showShape(x!.shape)}, not ${
          showShape(shape)
        }: ${where}. It states a shape and ` +
          "changes none: use reshape for that",
      );
    }
    return [{ shape, dtype: x!.dtype }];
  },
  gradient: ({ inputs: [x], cotangents: [g] }) => [g ? expectShape(g, x!.shape) : null],
  reference: ([x]) => [x!.slice()],
  lower: (_k, [x], at) => x!.at(at),
  dims: ["shape"],
  view: true,
  samples: [{ inputs: [{ shape: [3, 4] }], attrs: { shape: [3, 4] } }],
});

/**
 * The same tensor under a shape that you know and the type checker does not: the one door from computed sizes to names.
 *
 * Sizes are compared as soon as both are numbers: at once, or when named sizes are bound.
 *
 * @throws ShapeError when they differ.
 * @example
 * ```ts
 * import { concat, expectShape, input, linear, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 3], "f32") }, ({ x }) => {
 *   const both = expectShape(concat([x, x], 1), ["batch", 6]);
 *   return { y: linear(6, 2)(both) };
 * });
 * ```
 */
export function expectShape<S extends Shape, D extends DType, const T extends Shape>(
  x: Tensor<S, D>,
  shape: T & MayBe<"expectShape", S, T>,
): Tensor<T, D> {
  if (sameShape(x.shape, shape)) return x as Tensor as Tensor<T, D>;
  return apply(expectShapeOp, [x], { shape: [...shape] }) as Tensor<T, D>;
}
