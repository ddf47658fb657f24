/**
 * Part of each axis, forwards or backwards.
 *
 * Bounds are checked, not clipped: a slice that reaches beyond its axis is a mistake in shapes, and clipping would move
 * the error to where nobody looks for it.
 */

import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import {
  addDims,
  type Dim,
  divideDims,
  mulDims,
  sameShape,
  type Shape,
  showShape,
  subDims,
} from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Sliced } from "../../compiler/model/partial_types.ts";
import { defineOp } from "../define_op.ts";
import { full } from "../leaves.ts";
import { axesOf, axisOf } from "./axis.ts";
import { padWithin } from "./pad.ts";
import { reshape } from "./reshape.ts";
import { gatherBy } from "./walk.ts";

/** Element i of axis a of the result is element starts[a] + i·strides[a] of the input. */
export const sliceOp = defineOp<
  { starts: readonly Dim[]; sizes: readonly Dim[]; strides: readonly number[] }
>({
  name: "slice",
  infer([x], { starts, sizes, strides }) {
    x!.shape.forEach((d, axis) => checkAxis(x!.shape, axis, d, starts[axis]!, sizes[axis]!, strides[axis]!));
    return [{ shape: sizes, dtype: x!.dtype }];
  },
  gradient({ inputs: [x], cotangents: [g], attrs: { starts, sizes, strides } }) {
    if (!g) return [null];
    if (sizes.includes(0)) return [full(x!.shape, 0, x!.dtype)];
    const backwards = strides.flatMap((s, axis) => s < 0 ? [axis] : []);
    const spans = sizes.map((n, a) => mulDims(addDims(n, -1), Math.abs(strides[a]!)));
    const low = starts.map((s, a) => strides[a]! < 0 ? subDims(s, spans[a]!) : s);
    const high = x!.shape.map((d, a) => subDims(subDims(d, low[a]!), addDims(spans[a]!, 1)));
    const ordered = backwards.length > 0 ? flip(g, backwards) : g;
    return [padWithin(ordered, low, high, strides.map((s) => Math.abs(s) - 1))];
  },
  reference([x], { starts, strides }, { inputs, outputs }) {
    const source = (index: readonly number[]) => index.map((i, a) => (starts[a] as number) + i * strides[a]!);
    return [gatherBy(x!, inputs[0]!, outputs[0]!, source)];
  },
  lower: (k, [x], at, { attrs: { starts, strides } }) =>
    x!.at(at.map((i, a) => k.iadd(k.imul(i, strides[a]!), starts[a] as number))),
  dims: ["starts", "sizes"],
  view: true,
  samples: [
    { inputs: [{ shape: [7] }], attrs: { starts: [2], sizes: [3], strides: [1] } },
    { inputs: [{ shape: [3, 8] }], attrs: { starts: [1, 0], sizes: [2, 4], strides: [1, 2] } },
    { inputs: [{ shape: [5, 9] }], attrs: { starts: [4, 8], sizes: [5, 3], strides: [-1, -3] } },
    {
      inputs: [{ shape: [4, 5], dtype: "i32", lo: -9, hi: 9 }],
      attrs: { starts: [0, 4], sizes: [4, 1], strides: [1, 1] },
    },
    {
      inputs: [{ shape: [4, 5] }],
      attrs: { starts: [0, 2], sizes: [4, 0], strides: [1, 1] },
      note: "nothing left",
    },
  ],
});

function checkAxis(shape: Shape, axis: number, d: Dim, start: Dim, size: Dim, stride: number): void {
  if (typeof d !== "number" || typeof start !== "number" || typeof size !== "number") return;
  const last = start + (size - 1) * stride;
  const inside = (i: number) => i >= 0 && i < d;
  if (size === 0 || (size > 0 && inside(start) && inside(last))) return;
  throw new ShapeError(
    `slice: axis ${axis} of ${showShape(shape)} has ${
      counted(d, "element")
    }, and ${size} of them from ${start} in steps of ` +
      `${stride} do not lie inside it; use pad to make it longer`,
  );
}

/**
 * What is taken of one axis, as in Python: from `start` up to and without `stop`, in steps of `step`. Negative numbers
 * count from the end. What is left out means "all of it in this direction". A number takes that element and drops the
 * axis; `null` takes the whole axis.
 */
export type Range = { readonly start?: Dim; readonly stop?: Dim; readonly step?: number } | number | null;

/**
 * Part of a tensor: `slice(x, [0, { start: 1, stop: -1 }, { step: -1 }])` is Python's `x[0, 1:-1, ::-1]`. A view.
 *
 * @param ranges One per axis; axes without one are taken whole.
 * @throws ShapeError when a range reaches beyond its axis.
 * @example
 * ```ts
 * import { input, model, slice } from "@weft/weft";
 *
 * model({ x: input([8, 10], "f32") }, ({ x }) => ({
 *   row: slice(x, [0]), // [10]
 *   inside: slice(x, [{ start: 1, stop: -1 }, null]), // [6, 10]
 *   everyOther: slice(x, [null, { step: 2 }]), // [8, 5]
 *   backwards: slice(x, [null, { step: -1 }]), // [8, 10]
 * }));
 * ```
 */
export function slice<S extends Shape, D extends DType, const R extends readonly Range[]>(
  x: Tensor<S, D>,
  ranges: R,
): Tensor<Sliced<S, R>, D> {
  if (ranges.length > x.shape.length) {
    throw new ShapeError(
      `slice: ${ranges.length} ranges for ${showShape(x.shape)}, which has ${x.shape.length} ${
        x.shape.length === 1 ? "axis" : "axes"
      }; give one per axis, and null for what is taken whole`,
    );
  }
  for (const range of ranges) checkKeys(range);
  const parts = x.shape.map((d, axis) => resolve(x.shape, axis, d, ranges[axis] ?? null));
  const sizes = parts.map((p) => p.size);
  const whole = sameShape(sizes, x.shape) && parts.every((p) => p.start === 0 && p.step === 1);
  const taken = whole ? x : apply(sliceOp, [x], {
    starts: parts.map((p) => p.start),
    sizes,
    strides: parts.map((p) => p.step),
  }) as Tensor<Shape, D>;
  const kept = reshape(taken, sizes.filter((_, axis) => typeof (ranges[axis] ?? null) !== "number"));
  return kept as Tensor as Tensor<Sliced<S, R>, D>;
}

/** The types cannot say it: what they infer a range to be may have more in it, and that would be taken for nothing. */
function checkKeys(range: Range): void {
  const odd = Object.keys(range ?? {}).find((key) => !["start", "stop", "step"].includes(key));
  if (odd !== undefined) throw new ShapeError(`slice: a range has start, stop and step, not ${odd}`);
}

/** Part of one axis; the others are whole. */
export function sliceAxis<D extends DType>(
  x: Tensor<Shape, D>,
  axis: number,
  range: Exclude<Range, null>,
): Tensor<Shape, D> {
  const at = axisOf("slice", axis, x.shape);
  return slice(x, [...x.shape.slice(0, at).map(() => null), range]) as Tensor as Tensor<Shape, D>;
}

/**
 * Reverses the order along axes (by default along all). A view.
 *
 * @example
 * ```ts
 * import { flip, input, model } from "@weft/weft";
 *
 * model({ image: input(["batch", 3, 28, 28], "f32") }, ({ image }) => ({ mirrored: flip(image, -1) }));
 * ```
 */
export function flip<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  axes?: number | readonly number[],
): Tensor<S, D> {
  const list = axesOf("flip", axes, x.shape);
  return slice(x, x.shape.map((_, axis) => list.includes(axis) ? { step: -1 } : null)) as Tensor as Tensor<
    S,
    D
  >;
}

function resolve(shape: Shape, axis: number, d: Dim, range: Range): { start: Dim; size: Dim; step: number } {
  if (range === null) return { start: 0, size: d, step: 1 };
  if (typeof range === "number") {
    const start = fromEnd(d, range);
    if (typeof start === "number" && (start < 0 || (typeof d === "number" && start >= d))) {
      throw new ShapeError(`slice: axis ${axis} of ${showShape(shape)} has no element ${range}`);
    }
    return { start, size: 1, step: 1 };
  }
  const step = range.step ?? 1;
  if (!Number.isInteger(step) || step === 0) {
    throw new ShapeError(
      `slice: the step ${step} on axis ${axis} of ${showShape(shape)} must be a whole number, not 0`,
    );
  }
  const start = range.start === undefined ? (step > 0 ? 0 : addDims(d, -1)) : fromEnd(d, range.start);
  const stop = range.stop === undefined ? (step > 0 ? d : -1) : fromEnd(d, range.stop);
  const span = step > 0 ? subDims(stop, start) : subDims(start, stop);
  const pace = Math.abs(step);
  const size = typeof span === "number" ? Math.ceil(span / pace) : divideDims(span, pace);
  if (size === undefined) {
    throw new ShapeError(
      `slice: how many elements there are in steps of ${step} on axis ${axis} of ${
        showShape(shape)
      } depends on its ` +
        `size: ${span} is not always a multiple of ${pace}; bind the size, or give a stop that makes it one`,
    );
  }
  const beyond = [start, stop].find((i) =>
    typeof i === "number" && typeof d === "number" && (i < -1 || i > d)
  );
  if (beyond !== undefined || (typeof size === "number" && size < 0)) {
    throw new ShapeError(
      `slice: axis ${axis} of ${showShape(shape)} has ${counted(d, "element")}; it cannot be taken from ${
        range.start ?? start
      } ` +
        `to ${
          range.stop ?? stop
        } in steps of ${step}. Ranges are not clipped: use pad to make an axis longer`,
    );
  }
  // An empty range may start at the end of its axis; where it starts does not matter then.
  return { start: size === 0 ? 0 : start, size, step };
}

const fromEnd = (d: Dim, i: Dim): Dim => typeof i === "number" && i < 0 ? addDims(d, i) : i;
