/**
 * Initializers: the first contents of parameters, as functions of seed, path and shape.
 *
 * A parameter's numbers do not depend on how many others there are or in which order they are made: adding a layer
 * changes no other layer's start.
 */

import { counted } from "../../compiler/counted.ts";
import { elementsOf } from "../../compiler/graph/dim.ts";
import { roundTo, type StoredArray, storedArray } from "../../compiler/graph/dtype.ts";
import type { Initializer, InitializerSite } from "../../compiler/graph/graph.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { log, randomWords, turn, unit } from "./host_random.ts";

const fill = ({ shape, dtype }: InitializerSite, element: (i: number) => number): StoredArray => {
  const out = storedArray(dtype, elementsOf(shape) as number);
  for (let i = 0; i < out.length; i++) out[i] = roundTo(dtype, element(i));
  return out;
};

/** One number everywhere. */
export const filled = (value: number): Initializer => (site) => fill(site, () => value);

/** 0 everywhere. */
export const zeros = (): Initializer => filled(0);

/** 1 everywhere. */
export const ones = (): Initializer => filled(1);

/** Numbers given, row-major. */
export const values = (given: ArrayLike<number>): Initializer => (site) => {
  const count = elementsOf(site.shape) as number;
  if (count !== given.length) {
    throw new ShapeError(
      `init.values: ${counted(given.length, "number")} for "${site.path}", whose shape needs ${count}`,
    );
  }
  return fill(site, (i) => given[i]!);
};

/** Uniform in [lo, hi). */
export const uniform = (lo: number, hi: number): Initializer => (site) => {
  const words = randomWords(elementsOf(site.shape) as number, site.seed, site.path);
  return fill(site, (i) => lo + (hi - lo) * unit(words[i]!));
};

/**
 * Normal with a standard deviation and a mean, by Box and Muller.
 *
 * @example
 * ```ts
 * import { init, input, linear, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 4], "f32") }, ({ x }) => {
 *   return { y: linear(4, 3, { weightInit: init.normal(0.02), biasInit: init.zeros() })(x) };
 * });
 * ```
 */
export const normal = (deviation: number, mean = 0): Initializer => (site) => {
  const count = elementsOf(site.shape) as number;
  const words = randomWords(count + count % 2, site.seed, site.path);
  return fill(site, (i) => {
    const pair = i - i % 2;
    const radius = Math.sqrt(-2 * log(1 - unit(words[pair]!))); // 1 − u is never 0
    return mean + deviation * radius * turn(unit(words[pair + 1]!))[i % 2]!;
  });
};

/**
 * Uniform with variance gain²/fanIn, which keeps the variance of signals through a layer followed by relu (gain √2).
 *
 * Source: He, Zhang, Ren, Sun: Delving Deep into Rectifiers, 2015.
 */
export const kaimingUniform = (fanIn: number, gain: number = Math.SQRT2): Initializer => {
  const bound = gain * Math.sqrt(3 / fanIn);
  return uniform(-bound, bound);
};

/** Normal with variance gain²/fanIn; see `kaimingUniform`. */
export const kaimingNormal = (fanIn: number, gain: number = Math.SQRT2): Initializer =>
  normal(gain / Math.sqrt(fanIn));

/**
 * Uniform with variance 2/(fanIn + fanOut), a compromise between signals forward and gradients backward.
 *
 * Source: Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, 2010.
 */
export const xavierUniform = (fanIn: number, fanOut: number, gain = 1): Initializer => {
  const bound = gain * Math.sqrt(6 / (fanIn + fanOut));
  return uniform(-bound, bound);
};

/** Normal with variance 2/(fanIn + fanOut); see `xavierUniform`. */
export const xavierNormal = (fanIn: number, fanOut: number, gain = 1): Initializer =>
  normal(gain * Math.sqrt(2 / (fanIn + fanOut)));
