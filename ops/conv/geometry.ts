/**
 * Sizes of sliding windows, for convolution and pooling: how many fit, and what padding means.
 *
 * In terms of a *dilated* axis (what lies between its elements counts too), window i covers
 * i·stride − low + j·dilation for j = 0 … size − 1.
 */

import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import {
  addDims,
  type Dim,
  divideDims,
  mulDims,
  type Shape,
  showShape,
  subDims,
} from "../../compiler/graph/dim.ts";

/** One number for all spatial axes, or one per axis. */
export type PerAxis = number | readonly number[];

/** Zeros around: for all sides, per axis, or per side. `same`: ⌈n / stride⌉ results; `valid`: none. */
export type Padding = number | "same" | "valid" | readonly (number | readonly [low: number, high: number])[];

export interface Windows {
  readonly stride: number;
  readonly low: Dim;
  readonly high: Dim;
  readonly dilation: number;
  readonly inputDilation: number;
}

/** From the first to the last of n elements that are `step` apart, both counted. */
export const span = (n: Dim, step: number): Dim => step === 1 ? n : addDims(mulDims(addDims(n, -1), step), 1);

/** How many windows fit, or undefined where that has no closed form for the names involved. */
function windowCount(n: Dim, size: Dim, w: Windows): Dim | undefined {
  const around = addDims(span(n, w.inputDilation), addDims(w.low, w.high));
  const steps = floorDivide(subDims(around, span(size, w.dilation)), w.stride);
  return steps === undefined ? undefined : addDims(steps, 1);
}

/** ⌊a / b⌋ for a positive number b, where the names in `a` come in multiples of b. */
function floorDivide(a: Dim, b: number): Dim | undefined {
  if (typeof a === "number") return Math.floor(a / b);
  for (let rest = 0; rest < b; rest++) {
    const quotient = divideDims(addDims(a, -rest), b);
    if (quotient !== undefined) return quotient;
  }
  return undefined;
}

/** `windowCount`, with an error where nothing fits or nothing can be said. */
export function checkedCount(op: string, shape: Shape, axis: number, size: Dim, windows: Windows): Dim {
  const count = windowCount(shape[axis]!, size, windows);
  if (count === undefined) {
    throw new ShapeError(
      `${op}: how many windows of ${size} in steps of ${windows.stride} fit on axis ${axis} of ${
        showShape(shape)
      } ` +
        `depends on the size; write it as a multiple of ${windows.stride}, or bind it`,
    );
  }
  if (typeof count === "number" && count < 1) {
    throw new ShapeError(
      `${op}: no window of ${size} (dilation ${windows.dilation}) fits on axis ${axis} of ${
        showShape(shape)
      } with ` +
        `padding ${windows.low} and ${windows.high}; use a smaller window or more padding`,
    );
  }
  return count;
}

export function perAxis(
  op: string,
  what: string,
  value: PerAxis,
  rank: number,
  least = 1,
): readonly number[] {
  const list = typeof value === "number" ? new Array<number>(rank).fill(value) : value;
  if (list.length !== rank) {
    throw new ShapeError(
      `${op}: ${what} [${list.join(", ")}] has ${counted(list.length, "number")} for ${rank} spatial axes`,
    );
  }
  const wrong = list.find((n) => !Number.isInteger(n) || n < least);
  if (wrong !== undefined) {
    throw new ShapeError(`${op}: ${what} ${wrong} must be a whole number of at least ${least}`);
  }
  return list;
}

/** Padding per side of each spatial axis. */
export function paddingOf(
  op: string,
  padding: Padding,
  spatial: Shape,
  kernel: Shape,
  strides: readonly number[],
  dilations: readonly number[],
): { low: Dim[]; high: Dim[] } {
  if (padding === "same") {
    const total = spatial.map((n, a) => sameTotal(op, n, span(kernel[a]!, dilations[a]!), strides[a]!));
    return { low: total.map((t) => Math.floor(t / 2)), high: total.map((t) => Math.ceil(t / 2)) };
  }
  const sides = padding === "valid" ? 0 : padding;
  const list = typeof sides === "number" ? spatial.map(() => sides) : sides;
  if (list.length !== spatial.length) {
    throw new ShapeError(
      `${op}: padding for ${
        counted(list.length, "axis", "axes")
      }, and there are ${spatial.length} spatial ones`,
    );
  }
  const pairs = list.map((p) => typeof p === "number" ? [p, p] as const : p);
  const wrong = pairs.flat().find((n) => !Number.isInteger(n));
  if (wrong !== undefined) throw new ShapeError(`${op}: padding ${wrong} must be a whole number`);
  return { low: pairs.map((p) => p[0]), high: pairs.map((p) => p[1]) };
}

function sameTotal(op: string, n: Dim, size: Dim, stride: number): number {
  const whole = divideDims(n, stride);
  // ⌈n / stride⌉ windows: they span (that − 1)·stride + size.
  const count = whole ?? (typeof n === "number" ? Math.ceil(n / stride) : undefined);
  const total = count === undefined
    ? undefined
    : subDims(addDims(mulDims(addDims(count, -1), stride), size), n);
  if (typeof total !== "number") {
    throw new ShapeError(
      `${op}: padding "same" of a window of ${size} in steps of ${stride} depends on the size ${n}; give it in numbers`,
    );
  }
  return Math.max(0, total);
}
