import { ShapeError } from "../../compiler/errors.ts";
import { sameShape, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { defineOp } from "../define_op.ts";
import { sum } from "../reduce/sum.ts";
import { reshape } from "./reshape.ts";
import { gatherBy } from "./walk.ts";

/** A view that repeats: axes are aligned at the end; an axis of size 1, or a missing one, is read at 0. */
export const broadcastToOp = defineOp<{ shape: Shape }>({
  name: "broadcastTo",
  infer([x], { shape }) {
    const from = x!.shape;
    const lead = shape.length - from.length;
    if (lead < 0 || from.some((d, i) => d !== 1 && d !== shape[i + lead])) {
      throw new ShapeError(
        `broadcastTo: ${showShape(from)} does not stretch to ${
          showShape(shape)
        }: every size must be equal or 1, ` +
          "counted from the last axis",
      );
    }
    return [{ shape, dtype: x!.dtype }];
  },
  gradient({ inputs: [x], cotangents: [g] }) {
    if (!g) return [null];
    const lead = g.shape.length - x!.shape.length;
    const stretched = g.shape.map((_, i) => i).filter((i) =>
      i < lead || (x!.shape[i - lead] === 1 && g.shape[i] !== 1)
    );
    return [reshape(sum(g, stretched), x!.shape)];
  },
  reference([x], _attrs, { inputs, outputs }) {
    const from = inputs[0]!.shape;
    const lead = outputs[0]!.shape.length - from.length;
    return [
      gatherBy(x!, inputs[0]!, outputs[0]!, (index) => from.map((d, i) => d === 1 ? 0 : index[i + lead]!)),
    ];
  },
  lower(k, [x], at) {
    const lead = at.length - x!.shape.length;
    return x!.at(x!.shape.map((d, i) => d === 1 ? k.int(0) : at[i + lead]!));
  },
  dims: ["shape"],
  view: true,
  samples: [
    { inputs: [{ shape: [3, 1] }], attrs: { shape: [2, 3, 4] } },
    { inputs: [{ shape: [] }], attrs: { shape: [5] } },
    { inputs: [{ shape: [4], dtype: "i32", lo: -9, hi: 9 }], attrs: { shape: [3, 4] } },
  ],
});

/**
 * Repeats a tensor along axes of size 1 (or missing leading ones) up to a shape. Costs nothing: a view.
 *
 * @throws ShapeError when a size is neither equal nor 1.
 * @example
 * ```ts
 * import { broadcastTo, input, model } from "@weft/weft";
 *
 * model({ row: input([3], "f32") }, ({ row }) => ({ rows: broadcastTo(row, [4, 3]) }));
 * ```
 */
export function broadcastTo<const S extends Shape, D extends DType>(
  x: Tensor<Shape, D>,
  shape: S,
): Tensor<S, D> {
  if (sameShape(x.shape, shape)) return x as Tensor<S, D>;
  return apply(broadcastToOp, [x], { shape }) as Tensor<S, D>;
}
