/** Running sums, products and maxima along an axis. */

import { ShapeError } from "../../compiler/errors.ts";
import { type DType, type HostArray, hostArray, isFloat } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { GradientSite, Op, Sample } from "../../compiler/graph/op.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import type { Values } from "../../compiler/kernel/values.ts";
import { defineOp } from "../define_op.ts";
import { axisOf } from "../views/axis.ts";
import { stridesOf } from "../views/walk.ts";
import { gradientOfMax, gradientOfProduct } from "./cumulative_gradients.ts";

/** Options of the running sums, products and maxima. */
export interface CumulativeOptions {
  /** From the end of the axis. */
  readonly reverse?: boolean;
  /** Without the element itself: starts with 0 (sums) or 1 (products). */
  readonly exclusive?: boolean;
}

export interface CumulativeAttrs {
  readonly axis: number;
  readonly reverse: boolean;
  readonly exclusive: boolean;
}

/** Runs along an axis: `step` combines what has been so far with one more element. */
function running(
  x: HostArray,
  shape: readonly number[],
  { axis, reverse, exclusive }: CumulativeAttrs,
  start: number,
  step: (sum: number, x: number) => number,
): HostArray {
  const out = x.slice();
  const stride = stridesOf(shape)[axis]!;
  const size = shape[axis]!;
  for (let first = 0; first < x.length; first++) {
    if (Math.floor(first / stride) % size !== 0) continue;
    let total = start;
    for (let i = 0; i < size; i++) {
      const at = first + (reverse ? size - 1 - i : i) * stride;
      const next = step(total, x[at]!);
      out[at] = exclusive ? total : next;
      total = next;
    }
  }
  return out;
}

function prefix(
  k: Values,
  kind: "sum" | "prod" | "max",
  read: (index: readonly Value[]) => Value,
  shape: readonly number[],
  at: readonly Value[],
  { axis, reverse, exclusive }: CumulativeAttrs,
): Value {
  const size = shape[axis]!;
  const turned = (i: Value): Value => reverse ? k.isub(k.int(size - 1), i) : i;
  return k.prefix(kind, size, turned(at[axis]!), at, exclusive, (i) => read(at.with(axis, turned(i))));
}

const plain = { reverse: false, exclusive: false };

function samplesOf(lo: number, exclusive: boolean): Sample<CumulativeAttrs>[] {
  const [a, b, c] = [{ shape: [3, 7], lo, hi: 2 }, { shape: [5, 2], lo, hi: 2 }, {
    shape: [2, 3, 4],
    lo,
    hi: 2,
  }];
  return [
    { inputs: [a], attrs: { ...plain, axis: 1 } },
    { inputs: [b], attrs: { ...plain, axis: 0 } },
    { inputs: [c], attrs: { ...plain, axis: 1, reverse: true } },
    { inputs: [{ shape: [2, 1], lo, hi: 2 }], attrs: { ...plain, axis: 1 } },
    { inputs: [{ shape: [2, 0] }], attrs: { ...plain, axis: 1 } },
    { inputs: [{ shape: [3, 5], dtype: "i32", lo: -9, hi: 9 }], attrs: { ...plain, axis: 1 } },
    {
      inputs: [{ shape: [4], values: [1, NaN, Infinity, 2] }],
      attrs: { ...plain, axis: 0 },
      note: "special values",
    },
    ...exclusive
      ? [a, c, { shape: [2, 1], lo, hi: 2 }].flatMap((input) => [
        { inputs: [input], attrs: { axis: 1, reverse: false, exclusive } },
        { inputs: [input], attrs: { axis: 1, reverse: true, exclusive } },
      ])
      : [],
  ];
}

interface Kind {
  readonly name: string;
  readonly kind: "sum" | "prod" | "max";
  readonly start: number;
  readonly step: (total: number, x: number) => number;
  readonly gradient: (site: GradientSite<CumulativeAttrs>, g: Tensor) => Tensor;
  readonly samples: readonly Sample<CumulativeAttrs>[];
}

function cumulative({ name, kind, start, step, gradient, samples }: Kind): Op<CumulativeAttrs> {
  return defineOp<CumulativeAttrs>({
    name,
    infer([x]) {
      if (x!.dtype === "bool") throw new ShapeError(`${name}: bool has no arithmetic; use cast(x, "i32")`);
      return [x!];
    },
    gradient: (site) => [site.cotangents[0] ? gradient(site, site.cotangents[0]) : null],
    reference([x], attrs, { inputs }) {
      const { shape, dtype } = inputs[0]!;
      // Integers wrap at every step.
      const word = hostArray(dtype, 1);
      const wrapped = (total: number, e: number): number => {
        word[0] = isFloat(dtype) || kind !== "prod" ? step(total, e) : Math.imul(total, e);
        return word[0]!;
      };
      const first = isFloat(dtype) || kind !== "max" ? start : dtype === "i32" ? -0x80000000 : 0;
      return [running(x!, shape, attrs, first, wrapped)];
    },
    lower: (k, [x], at, { attrs }) => prefix(k, kind, (index) => x!.at(index), x!.shape, at, attrs),
    ...(kind === "max"
      ? {}
      : { terms: ([x]: readonly { shape: readonly number[] }[], { axis }) => x!.shape[axis]! }),
    samples,
  });
}

export const cumsumOp = cumulative({
  name: "cumsum",
  kind: "sum",
  start: 0,
  step: (total, x) => total + x,
  gradient: ({ attrs }, g) => apply(cumsumOp, [g], { ...attrs, reverse: !attrs.reverse }),
  samples: samplesOf(-2, true),
});

export const cumprodOp = cumulative({
  name: "cumprod",
  kind: "prod",
  start: 1,
  step: (total, x) => total * x,
  gradient: gradientOfProduct,
  samples: [
    ...samplesOf(0.5, true),
    {
      inputs: [{ shape: [3, 4], values: [2, 0, 3, 5, 0, 2, 0, 3, 2, 3, 4, 0] }],
      attrs: { ...plain, axis: 1 },
    },
    {
      inputs: [{ shape: [2, 4], values: [2, 0, 3, 5, 0, 2, 0, 3] }],
      attrs: { axis: 1, reverse: true, exclusive: true },
    },
  ],
});

export const cummaxOp = cumulative({
  name: "cummax",
  kind: "max",
  start: -Infinity,
  step: Math.max,
  gradient: gradientOfMax,
  samples: samplesOf(-2, false),
});

function along<S extends Shape, D extends DType>(
  op: Op<CumulativeAttrs>,
  x: Tensor<S, D>,
  axis: number,
  { reverse = false, exclusive = false }: CumulativeOptions,
): Tensor<S, D> {
  return apply(op, [x], { axis: axisOf(op.name, axis, x.shape), reverse, exclusive }) as Tensor<S, D>;
}

/**
 * The sum of the elements up to each, along an axis (default: the last).
 *
 * @example
 * ```ts
 * import { cummax, cumsum, input, model } from "@weft/weft";
 *
 * // Of [1, 2, 3]: [1, 3, 6], from the end [6, 5, 3], and without the element itself [0, 1, 3].
 * model({ x: input([3], "f32") }, ({ x }) => ({
 *   sums: cumsum(x),
 *   back: cumsum(x, -1, { reverse: true }),
 *   before: cumsum(x, -1, { exclusive: true }),
 *   peak: cummax(x),
 * }));
 * ```
 */
export function cumsum<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  axis = -1,
  options: CumulativeOptions = {},
): Tensor<S, D> {
  return along(cumsumOp, x, axis, options);
}

/**
 * The product of the elements up to each, along an axis (default: the last). Its gradient is right at zeros too.
 *
 * @example
 * ```ts
 * import { cumprod, input, model } from "@weft/weft";
 *
 * model({ x: input([3], "f32") }, ({ x }) => ({ y: cumprod(x) })); // of [2, 3, 4]: [2, 6, 24]
 * ```
 */
export function cumprod<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  axis = -1,
  options: CumulativeOptions = {},
): Tensor<S, D> {
  return along(cumprodOp, x, axis, options);
}

/** The largest element up to each, along an axis (default: the last); NaN from the first NaN on. Ties share gradients. */
export function cummax<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  axis = -1,
  options: Pick<CumulativeOptions, "reverse"> = {},
): Tensor<S, D> {
  return along(cummaxOp, x, axis, options);
}
