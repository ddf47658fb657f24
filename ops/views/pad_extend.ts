/** Padding by what the tensor itself holds: its edge repeated, or its inside mirrored at the edge. Both are views. */

import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { addDims, type Dim, type Shape, showShape, subDims } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { defineOp } from "../define_op.ts";
import { add } from "../elementwise/arithmetic.ts";
import { sum } from "../reduce/sum.ts";
import { pad } from "./pad.ts";
import { flip, sliceAxis } from "./slice.ts";
import { gatherBy } from "./walk.ts";

type Mode = "edge" | "reflect";

/** Index i of the result reads clamp(i − low) (edge) or the mirror image of i − low (reflect). */
export const extendOp = defineOp<{ low: readonly Dim[]; high: readonly Dim[]; mode: Mode }>({
  name: "extend",
  infer([x], { low, high, mode }) {
    const shape = x!.shape.map((d, axis) => {
      for (const width of [low[axis]!, high[axis]!]) {
        if (typeof width !== "number" || width === 0) continue;
        const most = typeof d !== "number" ? Infinity : mode === "reflect" ? d - 1 : d === 0 ? 0 : Infinity;
        if (width < 0 || !Number.isInteger(width) || width > most) {
          throw new ShapeError(
            `pad: axis ${axis} of ${
              showShape(x!.shape)
            } cannot be padded by ${width} in mode "${mode}": it has ${d} ` +
              `elements to take them from${mode === "reflect" ? ", and the edge is not repeated" : ""}`,
          );
        }
      }
      return addDims(d, addDims(low[axis]!, high[axis]!));
    });
    return [{ shape, dtype: x!.dtype }];
  },
  gradient({ inputs: [x], cotangents: [g], attrs: { low, high, mode } }) {
    if (!g) return [null];
    // Axis by axis, what was read beyond an edge is added to where it was read.
    return [
      x!.shape.reduce<Tensor>((flow, d, axis) => foldBack(flow, d, axis, low[axis]!, high[axis]!, mode), g),
    ];
  },
  reference([x], { low, mode }, { inputs, outputs }) {
    const source = (index: readonly number[]) =>
      index.map((i, a) => {
        const n = inputs[0]!.shape[a]!;
        const from = i - (low[a] as number);
        if (mode === "edge") return from < 0 ? 0 : from >= n ? n - 1 : from;
        return from < 0 ? -from : from >= n ? 2 * n - 2 - from : from;
      });
    return [gatherBy(x!, inputs[0]!, outputs[0]!, source)];
  },
  lower(k, [x], at, { attrs: { low, mode } }) {
    return x!.at(at.map((i, a) => {
      const n = x!.shape[a]!;
      let from = k.iadd(i, -(low[a] as number));
      if (mode === "reflect") {
        if (from.lo < 0) from = k.binary("max", from, k.imul(from, -1));
        if (from.hi >= n) from = k.binary("min", from, k.iadd(k.imul(from, -1), 2 * n - 2));
      }
      return k.iclamp(from, 0, n - 1);
    }));
  },
  dims: ["low", "high"],
  view: true,
  samples: [
    { inputs: [{ shape: [4] }], attrs: { low: [2], high: [5], mode: "edge" } },
    { inputs: [{ shape: [3, 5] }], attrs: { low: [0, 1], high: [2, 0], mode: "edge" } },
    { inputs: [{ shape: [4] }], attrs: { low: [3], high: [2], mode: "reflect" } },
    { inputs: [{ shape: [3, 5] }], attrs: { low: [2, 0], high: [1, 4], mode: "reflect" } },
    {
      inputs: [{ shape: [1, 3], dtype: "u32", lo: 0, hi: 9 }],
      attrs: { low: [1, 0], high: [0, 1], mode: "edge" },
    },
  ],
});

/** Pads by the edge or by the mirror image; see `pad`. */
export function extend<D extends DType>(
  x: Tensor<Shape, D>,
  low: readonly Dim[],
  high: readonly Dim[],
  mode: Mode,
): Tensor<Shape, D> {
  return apply(extendOp, [x], { low, high, mode }) as Tensor<Shape, D>;
}

function foldBack(g: Tensor, d: Dim, axis: number, low: Dim, high: Dim, mode: Mode): Tensor {
  const end = addDims(low, d);
  const back = (from: Dim, to: Dim, place: readonly [Dim, Dim]) => {
    const part = sliceAxis(g, axis, { start: from, stop: to });
    const folded = mode === "edge" ? sum(part, axis, { keepDims: true }) : flip(part, axis);
    return pad(folded, [...g.shape.slice(0, axis).map(() => null), place]);
  };
  let out = sliceAxis(g, axis, { start: low, stop: end });
  const rest = addDims(d, -1);
  if (low !== 0) out = add(out, back(0, low, mode === "edge" ? [0, rest] : [1, subDims(rest, low)]));
  if (high !== 0) {
    out = add(out, back(end, addDims(end, high), mode === "edge" ? [rest, 0] : [subDims(rest, high), 1]));
  }
  return out;
}
