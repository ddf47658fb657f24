/**
 * Sorting along an axis: stable, NaN last.
 *
 * Everything follows from one op, the *rank* of each element: how many come before it. A sort puts each element where
 * its rank says, which is `scatterAdd` along the axis, whose gradient is known; keeping the first k is the same with
 * fewer places. Ranks are counted pair by pair, so the work grows with the square of the axis.
 */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Dim, Shape } from "../../compiler/graph/dim.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { defineOp } from "../define_op.ts";
import { cast } from "../elementwise/convert.ts";
import { iota } from "../leaves.ts";
import { axisOf } from "../views/axis.ts";
import { permute } from "../views/permute.ts";
import { scatterAddAlongAxis } from "./scatter_add.ts";
import { sortKey } from "./sort_key.ts";

/** For each element, how many elements of its row (the last axis) come before it; equal ones in their own order. */
export const rankOp = defineOp<{ descending: boolean }>({
  name: "rank",
  infer: ([x]) => [{ shape: x!.shape, dtype: "i32" }],
  gradient: () => [null],
  reference([x], { descending }, { inputs }) {
    const n = inputs[0]!.shape.at(-1)!;
    const out = new Int32Array(x!.length);
    for (let start = 0; start < x!.length; start += n) {
      const row = Array.from(x!.subarray(start, start + n));
      const sorted = row.map((_, i) => i).sort((a, b) => {
        const nan = Number(Number.isNaN(row[a])) - Number(Number.isNaN(row[b]));
        if (nan !== 0 || Number.isNaN(row[a])) return nan || a - b;
        const order = row[a]! < row[b]! ? -1 : row[a]! > row[b]! ? 1 : 0;
        return (descending ? -order : order) || a - b;
      });
      sorted.forEach((i, rank) => out[start + i] = rank);
    }
    return [out];
  },
  lower(k, [x], at, { attrs: { descending } }) {
    const i = at.at(-1)!;
    const own = sortKey(k, x!.at(at), descending);
    return k.reduce("sum", [x!.shape.at(-1)!], at, ([j]) => {
      const other = sortKey(k, x!.at([...at.slice(0, -1), j!]), descending);
      const before = k.or(k.lt(other, own), k.and(k.eq(other, own), k.lt(j!, i)));
      return k.cast("i32", before);
    });
  },
  jumps: true,
  samples: [
    { inputs: [{ shape: [9] }], attrs: { descending: false } },
    { inputs: [{ shape: [3, 7] }], attrs: { descending: true } },
    {
      inputs: [{ shape: [9], values: [NaN, 1, -0, 0, Infinity, -Infinity, NaN, 1, -2] }],
      attrs: { descending: false },
      note: "special values",
    },
    {
      inputs: [{ shape: [9], values: [NaN, 1, -0, 0, Infinity, -Infinity, NaN, 1, -2] }],
      attrs: { descending: true },
      note: "special values, descending",
    },
    { inputs: [{ shape: [2, 8], dtype: "i32", lo: -3, hi: 3 }], attrs: { descending: false }, note: "ties" },
    {
      inputs: [{ shape: [4], dtype: "u32", values: [0xffffffff, 0, 0x80000000, 7] }],
      attrs: { descending: false },
    },
    { inputs: [{ shape: [5], dtype: "bool" }], attrs: { descending: true } },
    { inputs: [{ shape: [2, 1] }], attrs: { descending: false } },
  ],
});

export interface SortOptions {
  /** Default: the last. */
  readonly axis?: number;
  /** Largest first. NaN is last either way. */
  readonly descending?: boolean;
}

/** Elements in order along an axis; NaN last. */
export function sort<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  { axis = -1, descending = false }: SortOptions = {},
): Tensor<S, D> {
  const at = axisOf("sort", axis, x.shape);
  return placed(x, rank(x, at, descending), at, x.shape[at]!) as Tensor<Shape, D> as Tensor<S, D>;
}

/** The indices that sort an axis: equal elements keep their order. */
export function argsort<S extends Shape>(
  x: Tensor<S>,
  { axis = -1, descending = false }: SortOptions = {},
): Tensor<S, "i32"> {
  const at = axisOf("argsort", axis, x.shape);
  return placed(iota(x.shape, at), rank(x, at, descending), at, x.shape[at]!) as Tensor<S, "i32">;
}

/**
 * The k largest elements of an axis in falling order, and where they were; the first of equal ones wins.
 *
 * @param options `smallest`: the k smallest, in rising order.
 * @throws ShapeError when the axis has fewer than k elements.
 */
export function topK<D extends DType>(
  x: Tensor<Shape, D>,
  k: number,
  { axis = -1, smallest = false }: { readonly axis?: number; readonly smallest?: boolean } = {},
): { values: Tensor<Shape, D>; indices: Tensor<Shape, "i32"> } {
  const at = axisOf("topK", axis, x.shape);
  const size = x.shape[at]!;
  if (!Number.isInteger(k) || k < 1 || (typeof size === "number" && k > size)) {
    throw new ShapeError(
      `topK: axis ${at} of ${showShape(x.shape)} has ${size} elements; k = ${k} must be 1 to ${size}`,
    );
  }
  const ranks = rank(x, at, !smallest);
  return {
    values: placed(x, ranks, at, k) as Tensor<Shape, D>,
    indices: placed(iota(x.shape, at), ranks, at, k) as Tensor<Shape, "i32">,
  };
}

function rank(x: Tensor, axis: number, descending: boolean): Tensor<Shape, "i32"> {
  // The axis goes last and back: swapping two axes is its own inverse.
  const swap = [...x.shape.keys()];
  [swap[axis], swap[x.shape.length - 1]] = [x.shape.length - 1, axis];
  return permute(apply(rankOp, [permute(x, swap)], { descending }), swap) as Tensor<Shape, "i32">;
}

/** Each element at its rank; ranks from `size` on are left out. */
function placed(x: Tensor, ranks: Tensor<Shape, "i32">, axis: number, size: Dim): Tensor {
  if (x.dtype === "bool") return cast(placed(cast(x, "i32"), ranks, axis, size), "bool");
  return scatterAddAlongAxis(x, ranks, { axis, size });
}
