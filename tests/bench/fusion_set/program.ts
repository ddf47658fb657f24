/**
 * A program of the fusion set: a pattern of two to ten ops as the literature names them, written in the library's plain
 * ops. What the pattern calls one op (a softmax, a norm) is several here; that is what a policy has to see through.
 * @module
 */

import { type Model, model, state, type Tensor } from "../../../mod.ts";
import { numbers } from "../numbers.ts";

export interface FusionProgram {
  readonly name: string;
  /** The ops of the pattern, by the names that papers use. */
  readonly ops: readonly string[];
  /** The paper, or the pattern as KernelBench and its like have it. */
  readonly source: string;
  /** What everything is compared with references at. */
  readonly small: Readonly<Record<string, number>>;
  /** What is timed. */
  readonly full: Readonly<Record<string, number>>;
  /** What it computes, called while a model is traced. */
  trace(sizes: Readonly<Record<string, number>>): Readonly<Record<string, Tensor>>;
  /** All of its tensors lie on the device. Optimizers have no output: their results are states. */
  model(sizes: Readonly<Record<string, number>>): Model;
}

interface Definition<N extends string> {
  readonly name: string;
  readonly ops: readonly string[];
  readonly source: string;
  readonly small: Readonly<Record<N, number>>;
  readonly full: Readonly<Record<NoInfer<N>, number>>;
  make(sizes: Readonly<Record<NoInfer<N>, number>>): Readonly<Record<string, Tensor>>;
}

/** A program whose sizes are checked by their names. */
export const program = <const N extends string>({ make, ...rest }: Definition<N>): FusionProgram => ({
  ...rest,
  trace: (sizes) => make(sizes as Readonly<Record<N, number>>),
  model: (sizes) => model({}, () => make(sizes as Readonly<Record<N, number>>)),
});

/** A seed of its own for each name. */
const seedOf = (path: string): number => Array.from(path).reduce((n, c) => n * 31 + c.charCodeAt(0) | 0, 7);

/** A tensor on the device, of numbers in [lo, hi). */
export function floats<const S extends readonly number[]>(
  name: string,
  shape: S,
  lo = -1,
  hi = 1,
): Tensor<S, "f32"> {
  return state(name, shape, ({ shape, path }) => numbers(countOf(shape), seedOf(path), lo, hi));
}

/** The weights of a sum of `terms` products: results are of the order of what goes in. */
export function weights<const S extends readonly number[]>(
  name: string,
  shape: S,
  terms: number,
): Tensor<S, "f32"> {
  const bound = Math.sqrt(3 / terms);
  return floats(name, shape, -bound, bound);
}

/** Labels of `classes` classes. */
export function labels<const S extends readonly number[]>(
  name: string,
  shape: S,
  classes: number,
): Tensor<S, "i32"> {
  return state(
    name,
    shape,
    ({ shape, path }) => Int32Array.from(numbers(countOf(shape), seedOf(path), 0, classes), Math.floor),
    "i32",
  );
}

/** 0 or 1, with a probability. */
export function bits<const S extends readonly number[]>(
  name: string,
  shape: S,
  probability: number,
): Tensor<S, "f32"> {
  return state(
    name,
    shape,
    ({ shape, path }) => numbers(countOf(shape), seedOf(path), 0, 1).map((u) => u < probability ? 1 : 0),
  );
}

const countOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
