/**
 * Pooling of x [N, C, n…]: a reduction over the axes of sliding windows, so the gradients are those of `max` (ties share
 * equally) and `sum`, and nothing is stored between the window and its result.
 */

import { ShapeError } from "../../compiler/errors.ts";
import { type DType, isFloat } from "../../compiler/graph/dtype.ts";
import { type Dim, type Shape, showShape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Channels, Pooled } from "../../compiler/model/partial_types.ts";
import { div } from "../elementwise/arithmetic.ts";
import { full } from "../leaves.ts";
import { max } from "../reduce/extremum.ts";
import { mean } from "../reduce/mean.ts";
import { sum } from "../reduce/sum.ts";
import { concat } from "../views/concat.ts";
import { pad } from "../views/pad.ts";
import { reshape } from "../views/reshape.ts";
import { sliceAxis } from "../views/slice.ts";
import { checkedCount, type Padding, paddingOf, type PerAxis, perAxis } from "./geometry.ts";
import { windows } from "./windows.ts";

/** Options of `maxPool` and `averagePool`; a number counts for all spatial axes. */
export interface PoolOptions {
  /** Distance between windows. Default: their size, so that they do not overlap. */
  readonly stride?: PerAxis;
  readonly padding?: Padding;
  /** Distance between the elements of a window. */
  readonly dilation?: PerAxis;
}

interface Pool {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Per axis of x; none for batch and channels. */
  readonly widths: readonly (readonly [Dim, Dim])[];
}

function poolOf(
  op: string,
  x: Tensor,
  size: PerAxis,
  { stride, padding = 0, dilation = 1 }: PoolOptions,
): Pool {
  const spatial = x.shape.slice(2);
  if (spatial.length === 0) {
    throw new ShapeError(`${op}: ${showShape(x.shape)} has no axes behind batch and channels`);
  }
  const sizes = perAxis(op, "size", size, spatial.length);
  const strides = perAxis(op, "stride", stride ?? sizes, spatial.length);
  const dilations = perAxis(op, "dilation", dilation, spatial.length);
  const { low, high } = paddingOf(op, padding, spatial, sizes, strides, dilations);
  const empty = [...low, ...high].find((n, i) => {
    const axis = i % sizes.length;
    return typeof n === "number" && n > (sizes[axis]! - 1) * dilations[axis]!;
  });
  if (empty !== undefined) {
    throw new ShapeError(
      `${op}: a padding of ${empty} makes windows of [${sizes.join(", ")}] that lie outside of x`,
    );
  }
  // The windows are a view of the padded tensor, and would speak of its shape: what is wrong is said of x, here.
  sizes.forEach((window, a) => {
    const slide = {
      stride: strides[a]!,
      low: low[a]!,
      high: high[a]!,
      dilation: dilations[a]!,
      inputDilation: 1,
    };
    checkedCount(op, x.shape, a + 2, window, slide);
  });
  const widths = low.map((n, a) => [n, high[a]!] as const);
  return { sizes, strides, dilations, widths: [[0, 0], [0, 0], ...widths] };
}

/** The windows of x, padded, as last axes. */
const slid = <D extends DType>(x: Tensor<Shape, D>, { sizes, strides, dilations, widths }: Pool, value = 0) =>
  windows(pad(x, widths, { value }), sizes, strides, dilations);

const windowAxes = ({ sizes }: Pool): number[] => sizes.map((_, a) => a - sizes.length);

/**
 * The largest element of each window over the axes behind batch and channels.
 *
 * @param size Of the window: one number, or one per axis.
 * @example
 * ```ts
 * import { averagePool, globalAveragePool, input, maxPool, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 3, 32, 32], "f32") }, ({ x }) => ({
 *   halved: maxPool(x, 2),
 *   overlapping: maxPool(x, 3, { stride: 2, padding: 1 }),
 *   smooth: averagePool(x, [2, 4]),
 *   whole: globalAveragePool(x), // [batch, 3]
 * }));
 * ```
 */
export function maxPool<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  size: PerAxis,
  options: PoolOptions = {},
): Tensor<Pooled<S>, D> {
  const pool = poolOf("maxPool", x, size, options);
  const least = isFloat(x.dtype) ? -Infinity : x.dtype === "i32" ? -(2 ** 31) : 0;
  return max(slid(x, pool, least), windowAxes(pool)) as Tensor<Pooled<S>, D>;
}

/**
 * The mean of each window over the axes behind batch and channels.
 *
 * @param size Of the window: one number, or one per axis.
 * @param options `countPadding`: padded zeros count as elements (default: they do not).
 */
export function averagePool<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  size: PerAxis,
  { countPadding = false, ...options }: PoolOptions & { readonly countPadding?: boolean } = {},
): Tensor<Pooled<S>, D> {
  const pool = poolOf("averagePool", x, size, options);
  const axes = windowAxes(pool);
  const padded = pool.widths.flat().some((n) => n !== 0);
  if (countPadding || !padded) return mean(slid(x, pool), axes) as Tensor<Pooled<S>, D>;
  const there = full([1, 1, ...x.shape.slice(2)], 1, x.dtype) as Tensor<Shape, D>;
  return div(sum(slid(x, pool), axes), sum(slid(there, pool), axes)) as Tensor<Pooled<S>, D>;
}

/** The mean over all axes behind batch and channels: [N, C]. */
export function globalAveragePool<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<Channels<S>, D> {
  return mean(x, x.shape.slice(2).map((_, a) => a + 2)) as Tensor as Tensor<Channels<S>, D>;
}

/**
 * Means over as many bins as asked for, whatever the size: bin i of o covers ⌊i·n/o⌋ up to ⌈(i + 1)·n/o⌉.
 *
 * @param bins Per axis behind batch and channels.
 * @example
 * ```ts
 * import { adaptiveAveragePool, input, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 3, 17, 23], "f32") }, ({ x }) => ({ y: adaptiveAveragePool(x, 4) })); // [batch, 3, 4, 4]
 * ```
 */
export function adaptiveAveragePool<D extends DType>(x: Tensor<Shape, D>, bins: PerAxis): Tensor<Shape, D> {
  const counts = perAxis("adaptiveAveragePool", "bins", bins, x.shape.length - 2);
  // The mean over a box of bins is the mean along each axis in turn.
  return counts.reduce((y, count, a) => binned(y, a + 2, count), x);
}

function binned<D extends DType>(x: Tensor<Shape, D>, axis: number, bins: number): Tensor<Shape, D> {
  const n = x.shape[axis]!;
  if (typeof n !== "number") {
    throw new ShapeError(
      `adaptiveAveragePool: the size of axis ${axis} of ${showShape(x.shape)} must be a number`,
    );
  }
  if (n % bins === 0) {
    return mean(
      reshape(x, [...x.shape.slice(0, axis), bins, n / bins, ...x.shape.slice(axis + 1)]),
      axis + 1,
    );
  }
  const bin = (i: number) => {
    const range = { start: Math.floor((i * n) / bins), stop: Math.ceil(((i + 1) * n) / bins) };
    return mean(sliceAxis(x, axis, range), axis, { keepDims: true });
  };
  return concat(Array.from({ length: bins }, (_, i) => bin(i)), axis);
}
