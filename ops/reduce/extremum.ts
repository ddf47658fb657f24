/** The largest and smallest element over axes. */

import { hostArray, isFloat } from "../../compiler/graph/dtype.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import { ShapeError } from "../../compiler/errors.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Op, Sample } from "../../compiler/graph/op.ts";
import type { ReduceKind } from "../../compiler/kernel/value.ts";
import type { Axes, Reduced } from "../../compiler/model/shape_types.ts";
import { cast } from "../elementwise/convert.ts";
import { div } from "../elementwise/arithmetic.ts";
import { equal } from "../elementwise/comparison.ts";
import { where } from "../elementwise/select.ts";
import { defineOp } from "../define_op.ts";
import { full } from "../leaves.ts";
import { axesOf } from "../views/axis.ts";
import { broadcastTo } from "../views/broadcast.ts";
import { reshape } from "../views/reshape.ts";
import { count, forEachIndex, offsetOf } from "../views/walk.ts";
import { keepDims, keptIndex, reducedShape, type ReduceOptions } from "./axes.ts";
import { sum } from "./sum.ts";

interface ExtremumAttrs {
  readonly axes: readonly number[];
  /** The result need not be NaN where an element is: for callers whose own result is NaN then anyway (softmax). */
  readonly fast?: boolean;
}

const samples: readonly Sample<ExtremumAttrs>[] = [
  { inputs: [{ shape: [4, 7], lo: -1, hi: 1 }], attrs: { axes: [1] } },
  { inputs: [{ shape: [5, 6], lo: -1, hi: 1 }], attrs: { axes: [0] } },
  { inputs: [{ shape: [3, 4, 5], lo: -1, hi: 1 }], attrs: { axes: [0, 2] } },
  { inputs: [{ shape: [4, 7], lo: -1, hi: 1 }], attrs: { axes: [1], fast: true } },
  { inputs: [{ shape: [2, 0] }], attrs: { axes: [1] } },
  { inputs: [{ shape: [3, 8], dtype: "i32", lo: -50, hi: 50 }], attrs: { axes: [1] } },
  { inputs: [{ shape: [3, 8], dtype: "u32", lo: 0, hi: 50 }], attrs: { axes: [1] } },
  { inputs: [{ shape: [6], values: [2, -1, 2, 0, 2, -1] }], attrs: { axes: [0] }, note: "ties" },
  {
    inputs: [{
      shape: [4, 3],
      values: [1, NaN, 2, NaN, NaN, NaN, -Infinity, 0, Infinity, -Infinity, -Infinity, -Infinity],
    }],
    attrs: { axes: [1] },
    note: "special values",
  },
];

function extremum(name: "max" | "min", kinds: readonly [ReduceKind, ReduceKind]): Op<ExtremumAttrs> {
  const better = name === "max" ? (a: number, b: number) => a > b : (a: number, b: number) => a < b;
  const empty = (dtype: DType): number => {
    const sign = name === "max" ? -1 : 1;
    if (isFloat(dtype)) return sign * Infinity;
    if (dtype === "i32") return sign > 0 ? 0x7fffffff : -0x80000000;
    return sign > 0 ? 0xffffffff : 0;
  };
  return defineOp<ExtremumAttrs>({
    name,
    infer([x], { axes }) {
      if (x!.dtype === "bool") {
        throw new ShapeError(`${name}: bool has no order; use ${name === "max" ? "any" : "all"}`);
      }
      return [{ shape: reducedShape(x!.shape, axes), dtype: x!.dtype }];
    },
    gradient({ inputs: [x], outputs: [y], cotangents: [g], attrs: { axes } }) {
      if (!g) return [null];
      const kept = keepDims(x!.shape, axes);
      const wins = equal(x!, broadcastTo(reshape(y!, kept), x!.shape));
      // Ties share equally (SEMANTICS §8).
      const each = div(g, sum(cast(wins, g.dtype), axes));
      return [where(wins, broadcastTo(reshape(each, kept), x!.shape), full(x!.shape, 0, g.dtype))];
    },
    reference([x], { axes }, { inputs, outputs }) {
      const { shape, dtype } = outputs[0]!;
      const out = hostArray(dtype, count(shape)).fill(empty(dtype));
      forEachIndex(inputs[0]!.shape, (index, i) => {
        const to = offsetOf(index.filter((_, a) => !axes.includes(a)), shape);
        if (better(x![i]!, out[to]!) || Number.isNaN(x![i]!)) out[to] = x![i]!;
      });
      return [out];
    },
    lower(k, [x], at, { attrs: { axes, fast } }) {
      const extents = axes.map((a) => x!.shape[a]!);
      const kind = kinds[fast ? 1 : 0];
      return k.reduce(kind, extents, at, (bound) => x!.at(keptIndex(x!.shape.length, axes, at, bound)));
    },
    samples,
  });
}

export const maxOp = extremum("max", ["max", "maxFast"]);
export const minOp = extremum("min", ["min", "minFast"]);

/**
 * The largest element over axes: NaN if there is one, −∞ (the least integer) if there is none. Ties share the gradient.
 *
 * @param axes One axis, several, or (by default) all; negative from the end.
 * @param options `keepDims`: reduced axes stay with size 1.
 * @example
 * ```ts
 * import { input, max, min, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 8], "f32") }, ({ x }) => ({ row: max(x, 1), least: min(x), kept: max(x, 1, { keepDims: true }) }));
 * ```
 */
export function max<
  S extends Shape,
  D extends DType,
  const X extends Axes = undefined,
  K extends boolean | undefined = undefined,
>(
  x: Tensor<S, D>,
  axes?: X,
  options: ReduceOptions<K> = {},
): Tensor<Reduced<S, X, K>, D> {
  return reduced(maxOp, x, axes, options) as Tensor<Reduced<S, X, K>, D>;
}

/**
 * The smallest element over axes: NaN if there is one, +∞ (the largest integer) if there is none. Ties share the gradient.
 *
 * @param axes One axis, several, or (by default) all; negative from the end.
 * @param options `keepDims`: reduced axes stay with size 1.
 */
export function min<
  S extends Shape,
  D extends DType,
  const X extends Axes = undefined,
  K extends boolean | undefined = undefined,
>(
  x: Tensor<S, D>,
  axes?: X,
  options: ReduceOptions<K> = {},
): Tensor<Reduced<S, X, K>, D> {
  return reduced(minOp, x, axes, options) as Tensor<Reduced<S, X, K>, D>;
}

/** As `max` with axes kept, for callers whose own result is NaN wherever an element is (x − maxFast x is). */
export function maxFast<S extends Shape, D extends DType, const X extends Axes = undefined>(
  x: Tensor<S, D>,
  axes?: X,
): Tensor<Reduced<S, X, true>, D> {
  return reduced(maxOp, x, axes, { keepDims: true }, true) as Tensor<Reduced<S, X, true>, D>;
}

function reduced<D extends DType>(
  op: Op<ExtremumAttrs>,
  x: Tensor<Shape, D>,
  axes: number | readonly number[] | undefined,
  options: ReduceOptions,
  fast = false,
): Tensor<Shape, D> {
  const list = axesOf(op.name, axes, x.shape);
  const out = list.length === 0
    ? x
    : apply(op, [x], fast ? { axes: list, fast } : { axes: list }) as Tensor<Shape, D>;
  return options.keepDims ? reshape(out, keepDims(x.shape, list)) : out;
}
