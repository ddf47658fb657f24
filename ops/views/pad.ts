/** Elements added around (and between) those of a tensor: a constant, the edge repeated, or the inside mirrored. */

import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { addDims, type Dim, mulDims, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { type Value, valueType } from "../../compiler/kernel/value.ts";
import type { Padded } from "../../compiler/model/partial_types.ts";
import { defineOp } from "../define_op.ts";
import { type ConstantData, constantData } from "../leaves.ts";
import { extend } from "./pad_extend.ts";
import { sliceOp } from "./slice.ts";
import { gatherBy } from "./walk.ts";

interface Pad {
  readonly low: readonly Dim[];
  readonly high: readonly Dim[];
  /** Elements between neighbors of the input. */
  readonly between: readonly number[];
  /** One number; held as data so that infinities, NaN and −0 keep their identity. */
  readonly fill: ConstantData;
}

/**
 * Constant padding. The gradient of a slice is one (with elements between, where the slice had a stride), and its own
 * gradient is a slice.
 */
export const padOp = defineOp<Pad>({
  name: "pad",
  infer([x], { low, high, between }) {
    const bad = [...low, ...high].find((n) => typeof n === "number" && (n < 0 || !Number.isInteger(n)));
    if (bad !== undefined) {
      throw new ShapeError(
        `pad: ${
          showShape(x!.shape)
        } cannot be padded by ${bad}: widths are whole numbers from 0; use slice to cut`,
      );
    }
    const shape = x!.shape.map((d, a) => {
      const spread = between[a] === 0 || d === 0 ? d : addDims(mulDims(addDims(d, -1), between[a]! + 1), 1);
      return addDims(spread, addDims(low[a]!, high[a]!));
    });
    return [{ shape, dtype: x!.dtype }];
  },
  gradient({ inputs: [x], cotangents: [g], attrs: { low, between } }) {
    return [
      g ? apply(sliceOp, [g], { starts: low, sizes: x!.shape, strides: between.map((n) => n + 1) }) : null,
    ];
  },
  reference([x], { low, between, fill }, { inputs, outputs }) {
    const source = (index: readonly number[]) => {
      const from = index.map((i, a) => (i - (low[a] as number)) / (between[a]! + 1));
      return from.every((i, a) => Number.isInteger(i) && i >= 0 && i < inputs[0]!.shape[a]!)
        ? from
        : undefined;
    };
    return [gatherBy(x!, inputs[0]!, outputs[0]!, source, fill.values[0]!)];
  },
  lower(k, [x], at, { attrs: { low, between, fill } }) {
    if (x!.shape.includes(0)) return k.const(fill.values[0]!, valueType(x!.dtype));
    let inside: Value = k.const(true, "bool");
    const from = at.map((i, a) => {
      const shifted = k.iadd(i, -(low[a] as number));
      const step = between[a]! + 1;
      const index = k.idiv(shifted, step);
      inside = k.and(inside, k.and(k.le(0, index), k.lt(index, x!.shape[a]!)));
      if (step > 1) inside = k.and(inside, k.eq(k.imod(shifted, step), 0));
      return index;
    });
    return k.guard(inside, x!.at(from), fill.values[0]!);
  },
  dims: ["low", "high"],
  samples: [
    {
      inputs: [{ shape: [5] }],
      attrs: { low: [2], high: [1], between: [0], fill: constantData("f32", [0]) },
    },
    {
      inputs: [{ shape: [3, 4] }],
      attrs: { low: [0, 1], high: [2, 0], between: [0, 0], fill: constantData("f32", [1.5]) },
    },
    {
      inputs: [{ shape: [3, 4] }],
      attrs: { low: [1, 0], high: [0, 3], between: [1, 2], fill: constantData("f32", [0]) },
    },
    {
      inputs: [{ shape: [2, 3], dtype: "i32", lo: -9, hi: 9 }],
      attrs: { low: [1, 1], high: [1, 1], between: [0, 0], fill: constantData("i32", [-7]) },
    },
    {
      inputs: [{ shape: [2, 2], dtype: "bool" }],
      attrs: { low: [0, 1], high: [1, 0], between: [0, 0], fill: constantData("bool", [1]) },
    },
    {
      inputs: [{ shape: [0, 2] }],
      attrs: { low: [1, 0], high: [2, 0], between: [0, 0], fill: constantData("f32", [3]) },
      note: "nothing inside",
    },
  ],
});

/** How many elements are added before and after an axis; `null`: none. */
export type PadWidth = readonly [low: Dim, high: Dim] | null;

/** Options of `pad`. */
export interface PadOptions {
  /** `constant` (default), `edge`: the outermost element repeated, `reflect`: mirrored at it, without repeating it. */
  readonly mode?: "constant" | "edge" | "reflect";
  /** What a constant padding consists of. Default 0. */
  readonly value?: number;
}

/**
 * Adds elements around a tensor: `pad(x, [null, [1, 2]])` adds one column before and two behind.
 *
 * Padded zeros are numbers like any other: 0 · ∞ is NaN in what follows.
 *
 * @param widths One per axis; axes without one stay as they are.
 * @throws ShapeError for negative widths, or for a reflection wider than the axis.
 * @example
 * ```ts
 * import { input, model, pad } from "@weft/weft";
 *
 * // [1, 2, 3] with two more in front: [0, 0, 1, 2, 3], [1, 1, 1, 2, 3] and [3, 2, 1, 2, 3].
 * model({ x: input([3], "f32") }, ({ x }) => ({
 *   zeros: pad(x, [[2, 0]]),
 *   edge: pad(x, [[2, 0]], { mode: "edge" }),
 *   mirrored: pad(x, [[2, 0]], { mode: "reflect" }),
 * }));
 * ```
 */
export function pad<S extends Shape, D extends DType, const W extends readonly PadWidth[]>(
  x: Tensor<S, D>,
  widths: W,
  { mode = "constant", value = 0 }: PadOptions = {},
): Tensor<Padded<S, W>, D> {
  if (widths.length > x.shape.length) {
    throw new ShapeError(
      `pad: ${widths.length} widths for the ${counted(x.shape.length, "axis", "axes")} of ${
        showShape(x.shape)
      }`,
    );
  }
  const low = x.shape.map((_, a) => widths[a]?.[0] ?? 0);
  const high = x.shape.map((_, a) => widths[a]?.[1] ?? 0);
  if (mode !== "constant" && mode !== "edge" && mode !== "reflect") {
    throw new ShapeError(`pad: "${mode}" is not a mode; the modes are "constant", "edge" and "reflect"`);
  }
  const padded = (): Tensor => {
    if (low.every((n) => n === 0) && high.every((n) => n === 0)) return x;
    if (mode !== "constant") return extend(x, low, high, mode);
    return padWithin(x, low, high, x.shape.map(() => 0), value);
  };
  return padded() as Tensor<Padded<S, W>, D>;
}

/** Constant padding around a tensor and between its elements. */
export function padWithin<D extends DType>(
  x: Tensor<Shape, D>,
  low: readonly Dim[],
  high: readonly Dim[],
  between: readonly number[],
  value = 0,
): Tensor<Shape, D> {
  return apply(padOp, [x], { low, high, between, fill: constantData(x.dtype, [value]) }) as Tensor<Shape, D>;
}
