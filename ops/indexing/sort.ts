/** Sorting along an axis: stable, NaN last. How it is done is in `sort_program.ts`. */

import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { type DType, hostArray } from "../../compiler/graph/dtype.ts";
import { type Dim, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { apply, applyAll } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Op } from "../../compiler/graph/op.ts";
import { defineOp } from "../define_op.ts";
import { axisOf } from "../views/axis.ts";
import { permute } from "../views/permute.ts";
import { scatterAddOp } from "./scatter_add.ts";
import { type SortAttrs, sortProgram } from "./sort_program.ts";

const special = [NaN, 1, -0, 0, Infinity, -Infinity, NaN, 1, -2];

/** The first `count` elements of each row (the last axis) in order, and their indices. */
export const sortOp: Op<SortAttrs> = defineOp<SortAttrs>({
  name: "sort",
  infer([x], { count }) {
    const shape = [...x!.shape.slice(0, -1), count];
    return [{ shape, dtype: x!.dtype }, { shape, dtype: "i32" }];
  },
  gradient({ inputs: [x], outputs: [, indices], cotangents: [g] }) {
    if (!g) return [null];
    const axis = x!.shape.length - 1;
    return [apply(scatterAddOp, [g, indices!], { axis, batch: axis, size: x!.shape[axis]! })];
  },
  reference([x], { descending, count }, { inputs, outputs }) {
    const n = inputs[0]!.shape.at(-1)!;
    const kept = count as number;
    const rows = n === 0 ? 0 : x!.length / n;
    const elements = hostArray(outputs[0]!.dtype, rows * kept);
    const indices = new Int32Array(rows * kept);
    for (let row = 0; row < rows; row++) {
      const own = Array.from(x!.subarray(row * n, (row + 1) * n));
      const order = own.map((_, i) => i).sort((a, b) => before(own[a]!, own[b]!, descending) || a - b);
      order.slice(0, kept).forEach((i, place) => {
        elements[row * kept + place] = own[i]!;
        indices[row * kept + place] = i;
      });
    }
    return [elements, indices];
  },
  lower: sortProgram,
  dims: ["count"],
  jumps: (_, result) => result === 1,
  samples: [
    { inputs: [{ shape: [9] }], attrs: { descending: false, count: 9 } },
    { inputs: [{ shape: [2, 3, 7] }], attrs: { descending: true, count: 4 } },
    {
      inputs: [{ shape: [9], values: special }],
      attrs: { descending: false, count: 9 },
      note: "special values",
    },
    {
      inputs: [{ shape: [9], values: special }],
      attrs: { descending: true, count: 9 },
      note: "special values",
    },
    {
      inputs: [{ shape: [2, 8], dtype: "i32", lo: -3, hi: 3 }],
      attrs: { descending: false, count: 8 },
      note: "ties",
    },
    {
      inputs: [{ shape: [4], dtype: "i32", values: [0x7fffffff, -0x80000000, 0, 0x7fffffff] }],
      attrs: { descending: true, count: 4 },
      note: "bounds",
    },
    {
      inputs: [{ shape: [4], dtype: "u32", values: [0xffffffff, 0, 0x80000000, 7] }],
      attrs: { descending: false, count: 3 },
    },
    { inputs: [{ shape: [5], dtype: "bool" }], attrs: { descending: true, count: 5 } },
    { inputs: [{ shape: [3, 1] }], attrs: { descending: false, count: 1 } },
    { inputs: [{ shape: [2, 16], dtype: "f16" }], attrs: { descending: false, count: 1 } },
  ],
});

/** Negative: a comes before b; 0: neither. */
function before(a: number, b: number, descending: boolean): number {
  const nan = Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  if (nan !== 0) return nan;
  const order = a < b ? -1 : a > b ? 1 : 0;
  return descending ? -order : order;
}

/** Options of `sort` and `argsort`. */
export interface SortOptions {
  /** Default: the last. */
  readonly axis?: number;
  /** Largest first. NaN is last either way. */
  readonly descending?: boolean;
}

/**
 * Elements in order along an axis; NaN last.
 *
 * @example
 * ```ts
 * import { input, model, sort } from "@weft/weft";
 *
 * // [3, NaN, 1] becomes [1, 3, NaN], and falling [3, 1, NaN].
 * model({ x: input([3], "f32") }, ({ x }) => ({ up: sort(x), down: sort(x, { descending: true }) }));
 * ```
 */
export function sort<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  { axis = -1, descending = false }: SortOptions = {},
): Tensor<S, D> {
  return ordered("sort", x, axis, descending).elements as Tensor as Tensor<S, D>;
}

/**
 * The indices that sort an axis: equal elements keep their order.
 *
 * @example
 * ```ts
 * import { argsort, gather, input, model } from "@weft/weft";
 *
 * // x in the order of its keys.
 * model({ x: input([9], "f32"), key: input([9], "i32") }, ({ x, key }) => ({ y: gather(x, argsort(key)) }));
 * ```
 */
export function argsort<S extends Shape>(
  x: Tensor<S>,
  { axis = -1, descending = false }: SortOptions = {},
): Tensor<S, "i32"> {
  return ordered("argsort", x, axis, descending).indices as Tensor as Tensor<S, "i32">;
}

/**
 * The k largest elements of an axis in falling order, and where they were; the first of equal ones wins.
 *
 * @param options `smallest`: the k smallest, in rising order.
 * @throws ShapeError when the axis has fewer than k elements.
 * @example
 * ```ts
 * import { input, model, topK } from "@weft/weft";
 *
 * model({ scores: input(["batch", 100], "f32") }, ({ scores }) => {
 *   const { values, indices } = topK(scores, 5); // [batch, 5] each
 *   return { values, indices };
 * });
 * ```
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
      `topK: axis ${at} of ${showShape(x.shape)} has ${
        counted(size, "element")
      }; k = ${k} must be 1 to ${size}`,
    );
  }
  const { elements, indices } = ordered("topK", x, at, !smallest, k);
  return { values: elements as Tensor<Shape, D>, indices: indices as Tensor<Shape, "i32"> };
}

function ordered(op: string, x: Tensor, axis: number, descending: boolean, count?: Dim) {
  const at = axisOf(op, axis, x.shape);
  // The axis goes last and back: swapping two axes is its own inverse.
  const swap = [...x.shape.keys()];
  [swap[at], swap[x.shape.length - 1]] = [x.shape.length - 1, at];
  const [elements, indices] = applyAll(sortOp, [permute(x, swap)], {
    descending,
    count: count ?? x.shape[at]!,
  });
  return { elements: permute(elements!, swap), indices: permute(indices!, swap) };
}
