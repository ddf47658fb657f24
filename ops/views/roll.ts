import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import { ShapeError } from "../../compiler/errors.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { defineOp } from "../define_op.ts";
import { axisOf } from "./axis.ts";
import { gatherBy } from "./walk.ts";

/** Element i of the result is element (i − shift) mod n of the input. */
export const rollOp = defineOp<{ axis: number; shift: number }>({
  name: "roll",
  infer: ([x]) => [x!],
  gradient: ({ cotangents: [g], attrs: { axis, shift } }) => [g ? roll(g, -shift, axis) : null],
  reference([x], { axis, shift }, { inputs, outputs }) {
    const n = inputs[0]!.shape[axis]!;
    const source = (index: readonly number[]) =>
      index.map((i, a) => a === axis ? (((i - shift) % n) + n) % n : i);
    return [gatherBy(x!, inputs[0]!, outputs[0]!, source)];
  },
  lower(k, [x], at, { attrs: { axis, shift } }) {
    const n = x!.shape[axis]!;
    // Shifted up, so that no dividend is negative.
    const up = ((-shift % n) + n) % n;
    return x!.at(at.map((i, a) => a === axis ? k.imod(k.iadd(i, up), n) : i));
  },
  view: true,
  samples: [
    { inputs: [{ shape: [7] }], attrs: { axis: 0, shift: 3 } },
    { inputs: [{ shape: [3, 5] }], attrs: { axis: 1, shift: -1 } },
    { inputs: [{ shape: [4, 2] }], attrs: { axis: 0, shift: 11 } },
    { inputs: [{ shape: [1], dtype: "i32", lo: 0, hi: 9 }], attrs: { axis: 0, shift: 2 } },
  ],
});

/**
 * Moves elements along an axis by `shift` places; what leaves one end comes in at the other. A view.
 *
 * @example
 * ```ts
 * import { input, model, roll } from "@weft/weft";
 *
 * // [1, 2, 3, 4] by one: [4, 1, 2, 3].
 * model({ x: input([4], "f32") }, ({ x }) => ({ y: roll(x, 1, 0) }));
 * ```
 */
export function roll<D extends DType>(x: Tensor<Shape, D>, shift: number, axis = -1): Tensor<Shape, D> {
  const at = axisOf("roll", axis, x.shape);
  if (!Number.isInteger(shift)) throw new ShapeError(`roll: the shift ${shift} is not a whole number`);
  return shift === 0 ? x : apply(rollOp, [x], { axis: at, shift }) as Tensor<Shape, D>;
}
