import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { addDims, type Dim, divideDims, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { applyAll } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Resized } from "../../compiler/model/partial_types.ts";
import { defineOp } from "../define_op.ts";
import { full } from "../leaves.ts";
import { axisOf } from "./axis.ts";
import { concat } from "./concat.ts";
import { gatherBy } from "./walk.ts";

/**
 * Consecutive parts of an axis. One node with a result per part, so that its gradient is one concat: three slices of
 * q, k and v would be three paddings that are added.
 */
export const splitOp = defineOp<{ axis: number; sizes: readonly Dim[] }>({
  name: "split",
  infer([x], { axis, sizes }) {
    const total = sizes.reduce(addDims, 0);
    if (total !== x!.shape[axis] || sizes.some((n) => typeof n === "number" && n < 0)) {
      throw new ShapeError(
        `split: the parts [${sizes.join(", ")}] make ${total}, and axis ${axis} of ${
          showShape(x!.shape)
        } has ` +
          `${x!.shape[axis]}; they must be the same`,
      );
    }
    return sizes.map((n) => ({ shape: x!.shape.map((d, a) => a === axis ? n : d), dtype: x!.dtype }));
  },
  gradient({ cotangents, outputs, attrs: { axis } }) {
    return [concat(cotangents.map((g, i) => g ?? full(outputs[i]!.shape, 0, outputs[i]!.dtype)), axis)];
  },
  reference([x], { axis, sizes }, { inputs, outputs }) {
    let start = 0;
    return outputs.map((output, n) => {
      const from = start;
      start += sizes[n] as number;
      return gatherBy(x!, inputs[0]!, output, (index) => index.map((i, a) => a === axis ? i + from : i));
    });
  },
  lower(k, [x], at, { attrs: { axis, sizes }, result }) {
    const start = sizes.slice(0, result).reduce<number>((n, size) => n + (size as number), 0);
    return x!.at(at.map((i, a) => a === axis ? k.iadd(i, start) : i));
  },
  dims: ["sizes"],
  view: true,
  samples: [
    { inputs: [{ shape: [7] }], attrs: { axis: 0, sizes: [3, 4] } },
    { inputs: [{ shape: [3, 6] }], attrs: { axis: 1, sizes: [2, 2, 2] } },
    { inputs: [{ shape: [5, 2, 3] }], attrs: { axis: 0, sizes: [1, 4] } },
    {
      inputs: [{ shape: [4], dtype: "i32", lo: -9, hi: 9 }],
      attrs: { axis: 0, sizes: [0, 4] },
      note: "an empty part",
    },
  ],
});

/**
 * Cuts an axis into consecutive parts. A view.
 *
 * @param parts How many equal parts, or the size of each.
 * @throws ShapeError when the parts do not make up the axis.
 * @example
 * ```ts
 * import { input, model, split } from "@weft/weft";
 *
 * model({ x: input(["batch", 12], "f32") }, ({ x }) => {
 *   const [q, k, v] = split(x, 3, 1); // [batch, 4] each
 *   const [head, rest] = split(x, [2, 10], 1);
 *   return { q: q!, k: k!, v: v!, head: head!, rest: rest! };
 * });
 * ```
 */
export function split<S extends Shape, D extends DType, const X extends number = -1>(
  x: Tensor<S, D>,
  parts: number | readonly Dim[],
  axis?: X,
): Tensor<Resized<S, X>, D>[] {
  const at = axisOf("split", axis ?? -1, x.shape);
  let sizes: readonly Dim[];
  if (typeof parts === "number") {
    const size = parts > 0 && Number.isInteger(parts) ? divideDims(x.shape[at]!, parts) : undefined;
    if (size === undefined) {
      throw new ShapeError(
        `split: axis ${at} of ${
          showShape(x.shape)
        } does not fall into ${parts} equal parts; give a list of sizes`,
      );
    }
    sizes = new Array<Dim>(parts).fill(size);
  } else sizes = parts;
  const whole = sizes.length === 1 && sizes[0] === x.shape[at];
  return (whole ? [x as Tensor] : [...applyAll(splitOp, [x], { axis: at, sizes })]) as Tensor<
    Resized<S, X>,
    D
  >[];
}
