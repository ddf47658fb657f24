/**
 * What a random graph may do next: each step makes a tensor of those there are, whatever they are.
 *
 * A step is total: where operands don't fit, it bends them until they do, so that a shrunk graph is still a graph. Values
 * stay of the order of 1, so that results can be told from wrong ones.
 * @module
 */

import type { DType } from "../../compiler/graph/dtype.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import * as ops from "../../ops/mod.ts";

type Axes = number | readonly number[];

/** The ops without the shapes in their types: those are drawn here, and held to their rules when the graph is made. */
type Untyped =
  & Record<"add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "matmul" | "less", Binary>
  & Record<"tanh" | "sigmoid" | "abs" | "neg" | "relu" | "exp" | "sqrt" | "square" | "transpose", Unary>
  & Record<"sum" | "mean" | "max" | "min", Reduction>
  & Record<"softmax" | "argmax" | "cumsum" | "cummax", (x: Tensor, axis: number) => Tensor>
  & Others;
type Binary = (a: Tensor, b: Tensor | number) => Tensor;
type Unary = (x: Tensor) => Tensor;
type Reduction = (x: Tensor, axes: Axes, options?: { readonly keepDims: boolean }) => Tensor;
interface Others {
  sort(x: Tensor, options: { readonly axis: number }): Tensor;
  where(condition: Tensor, a: Tensor, b: Tensor): Tensor;
  cast(x: Tensor, dtype: DType): Tensor;
  broadcastTo(x: Tensor, shape: readonly number[]): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  permute(x: Tensor, order: readonly number[]): Tensor;
  sliceAxis(
    x: Tensor,
    axis: number,
    range: { readonly start?: number; readonly stop?: number; readonly step?: number },
  ): Tensor;
  pad(x: Tensor, widths: readonly (readonly [number, number])[]): Tensor;
  roll(x: Tensor, shift: number, axis: number): Tensor;
  concat(tensors: readonly Tensor[], axis: number): Tensor;
  gather(x: Tensor, indices: Tensor, axis: number): Tensor;
  scatterAdd(x: Tensor, indices: Tensor, options: { readonly axis: number; readonly size: number }): Tensor;
  iota(shape: readonly number[]): Tensor;
  attention(q: Tensor, k: Tensor, v: Tensor, options: { readonly causal: boolean }): Tensor;
}
const o = ops as unknown as Untyped;

/** Tensors of more elements than this are reduced before they grow further. */
const most = 400;

export const shapeOf = (x: Tensor): readonly number[] => x.shape as readonly number[];
export const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
const last = (x: Tensor): number => shapeOf(x).at(-1)!;

/** A small number that a step may use as it likes. */
export type Choice = number;

/** x as one number, with as many axes as it had. */
const whole = (x: Tensor): Tensor => o.mean(x, shapeOf(x).map((_, axis) => axis), { keepDims: true });

/** y such that it can be broadcast to x. */
function fitting(y: Tensor, x: Tensor): Tensor {
  const [to, from] = [shapeOf(x), shapeOf(y)];
  const offset = to.length - from.length;
  const fits = offset >= 0 && from.every((d, i) => d === 1 || d === to[i + offset]);
  return fits ? y : offset >= 0 ? whole(y) : o.reshape(whole(y), []);
}

/** y in the shape of x. */
export const shaped = (y: Tensor, shape: readonly number[]): Tensor =>
  shapeOf(y).join() === shape.join()
    ? y
    : count(shapeOf(y)) === count(shape)
    ? o.reshape(y, shape)
    : o.broadcastTo(o.reshape(whole(y), []), shape);

/** At least one axis. */
const ranked = (x: Tensor): Tensor => shapeOf(x).length === 0 ? o.reshape(x, [1]) : x;
/** At least two axes. */
const matrix = (x: Tensor): Tensor => shapeOf(x).length < 2 ? o.reshape(x, [1, count(shapeOf(x))]) : x;

const axisOf = (x: Tensor, c: Choice): number => c % shapeOf(x).length;

/** Positions into `size` elements that neither ascend nor repeat regularly. */
const indices = (length: number, size: number, c: Choice): Tensor =>
  ops.floorMod(o.mul(o.iota([length]), 2 * c + 3) as Tensor<readonly [number], "i32">, size) as Tensor;

/** A tensor of f32 from two others and a choice. */
export type StepOf = (x: Tensor, y: Tensor, c: Choice) => Tensor;

/** What a graph may do next. Those that are likely to break fusion come more than once. */
export const steps: readonly StepOf[] = [
  (x, y) => o.add(x, fitting(y, x)),
  (x, y) => o.mul(x, fitting(y, x)),
  (x, y) => o.sub(fitting(y, x), x),
  (x, y, c) => c % 2 === 0 ? o.maximum(x, fitting(y, x)) : o.minimum(fitting(y, x), x),
  (x, y) => o.div(x, o.add(o.abs(fitting(y, x)), 1)),
  (x, _y, c) => [o.tanh, o.sigmoid, o.abs, o.neg, o.relu][c % 5]!(x),
  (x) => o.exp(o.neg(o.abs(x))),
  (x) => o.sqrt(o.add(o.square(x), 1)),
  (x, y) => o.where(o.less(x, fitting(y, x)), x, o.neg(x)),
  (x, y, c) => {
    const r = ranked(x);
    const by = [o.sum, o.mean, o.max, o.min][c % 4]!(r, axisOf(r, c >> 2), { keepDims: (c & 1) === 0 });
    return o.add(by, fitting(whole(y), by));
  },
  (x, _y, c) => {
    const r = ranked(x);
    return o.mean(r, axisOf(r, c), { keepDims: false });
  },
  (x, _y, c) => {
    const r = ranked(x);
    return o.sub(r, o.max(r, axisOf(r, c), { keepDims: true }));
  },
  (x, _y, c) => {
    const r = ranked(x);
    return o.softmax(r, axisOf(r, c));
  },
  (x, _y, c) => {
    const r = ranked(x);
    const by = { keepDims: true };
    const centered = o.sub(r, o.mean(r, axisOf(r, c), by));
    const normal = o.div(centered, o.sqrt(o.add(o.mean(o.square(centered), axisOf(r, c), by), 0.1)));
    // Alone it would be nothing but rounding errors where a row is constant.
    return o.add(normal, r);
  },
  (x, y) => product(matrix(x), matrix(y)),
  (x, _y, c) => product(matrix(x), c % 2 === 0 ? o.transpose(matrix(x)) : o.tanh(o.transpose(matrix(x)))),
  (x, y) => o.add(product(matrix(x), matrix(y)), fitting(y, product(matrix(x), matrix(y)))),
  (x) => o.transpose(matrix(x)),
  (x, _y, c) => {
    const axes = shapeOf(x).map((_, axis) => axis);
    return o.permute(x, [
      ...axes.slice(c % Math.max(1, axes.length)),
      ...axes.slice(0, c % Math.max(1, axes.length)),
    ]);
  },
  (x, y) => shaped(y, shapeOf(x)),
  (x, _y, c) => {
    const n = count(shapeOf(x));
    const rows = [2, 3, 5, 7, 1].find((d) => n % d === 0)!;
    return o.reshape(x, c % 2 === 0 ? [n] : [rows, n / rows]);
  },
  (x, _y, c) => {
    const r = ranked(x);
    const axis = axisOf(r, c);
    return o.sliceAxis(r, axis, [{ start: shapeOf(r)[axis]! >> 1 }, { step: -1 }, { step: 2 }][c % 3]!);
  },
  (x, _y, c) => o.pad(x, shapeOf(x).map((_, axis) => axis === c % 3 ? [1, c % 2] : [0, 0])),
  (x, _y, c) => {
    const r = ranked(x);
    return o.roll(r, 1 + c % 3, axisOf(r, c));
  },
  (x, y, c) => {
    const r = ranked(x);
    return o.concat([r, shaped(y, shapeOf(r)), ...c % 3 === 0 ? [o.tanh(r)] : []], axisOf(r, c));
  },
  (x, _y, c) => count(shapeOf(x)) > most / 3 ? o.neg(x) : o.broadcastTo(x, [2 + c % 2, ...shapeOf(x)]),
  (x, _y, c) => {
    const r = ranked(x);
    const axis = axisOf(r, c);
    return o.gather(r, indices(1 + c % 5, shapeOf(r)[axis]!, c), axis);
  },
  (x, _y, c) => {
    const r = ranked(x);
    const axis = axisOf(r, c);
    return o.scatterAdd(r, indices(shapeOf(r)[axis]!, 3, c), { axis, size: 3 });
  },
  (x, _y, c) => {
    const r = ranked(x);
    return c % 2 === 0 ? o.mul(o.cumsum(r, axisOf(r, c >> 1)), 0.25) : o.cummax(r, axisOf(r, c >> 1));
  },
  (x, _y, c) => {
    const r = ranked(x);
    return o.sort(r, { axis: axisOf(r, c) });
  },
  (x, _y, c) => {
    const r = ranked(x);
    return o.mul(o.cast(o.argmax(r, axisOf(r, c)), "f32"), 0.125);
  },
  (x, y, c) => {
    const q = o.reshape(x, [1, 1, count(shapeOf(x)) / last(ranked(x)), last(ranked(x))]);
    const k = last(ranked(y)) === last(q) ? o.reshape(y, [1, 1, count(shapeOf(y)) / last(q), last(q)]) : q;
    return o.attention(q, k, o.tanh(k), { causal: c % 2 === 0 });
  },
];

/** x·y with both bent to fit, and scaled to stay of the size of its operands. */
function product(x: Tensor, y: Tensor): Tensor {
  const [p, q] = [shapeOf(x), shapeOf(y)];
  const inner = p.at(-1)!;
  const fits = q.at(-2) === inner && (q.length === 2 || q.slice(0, -2).join() === p.slice(0, -2).join());
  const other = fits && count(p) * q.at(-1)! < 4 * most ? y : o.transpose(x);
  return o.mul(o.matmul(x, other), 1 / Math.sqrt(inner));
}
