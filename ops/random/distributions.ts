/**
 * Numbers drawn from a distribution: functions over `randomBits`, so that fusing, gradients and recomputation need
 * nothing of their own. Each call is a stream of its own; nothing flows back through what is drawn.
 */

import { ShapeError } from "../../compiler/errors.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { Tensor } from "../../compiler/graph/node.ts";
import { shiftRight } from "../elementwise/bitwise.ts";
import { less } from "../elementwise/comparison.ts";
import { cast } from "../elementwise/convert.ts";
import { log1p, sqrt } from "../elementwise/exponential.ts";
import { add, mul, neg, sub } from "../elementwise/arithmetic.ts";
import { sin } from "../elementwise/trigonometric.ts";
import { sliceAxis } from "../views/slice.ts";
import { randomBits, type RandomOptions } from "./bits.ts";

/** The top 24 bits as a fraction: multiples of 2⁻²⁴ in [0, 1), exact, so equal on every adapter. */
const fraction = <S extends Shape>(bits: Tensor<S, "u32">): Tensor<S, "f32"> =>
  mul(cast(shiftRight(bits, 8), "f32"), 2 ** -24);

/** Options of `uniform`. */
export interface UniformOptions extends RandomOptions {
  /** Default 0. */
  readonly lo?: number;
  /** Default 1. Rounding may reach it where the bounds are not 0 and a power of two. */
  readonly hi?: number;
}

/**
 * Uniform in [lo, hi): multiples of 2⁻²⁴ of the width.
 *
 * @example
 * ```ts
 * import { model, uniform } from "@weft/weft";
 *
 * // Other numbers in each run; the same for the same seed.
 * model({}, () => ({ share: uniform([8]), angle: uniform([8], { lo: 0, hi: 2 * Math.PI }) }));
 * ```
 */
export function uniform<const S extends Shape>(
  shape: S,
  { lo = 0, hi = 1, ...options }: UniformOptions = {},
): Tensor<S, "f32"> {
  if (!(lo < hi)) throw new ShapeError(`uniform: lo is ${lo} and hi is ${hi}; lo must be less`);
  const u = fraction(randomBits(shape, options));
  const scaled = hi - lo === 1 ? u : mul(u, hi - lo);
  return lo === 0 ? scaled : add(scaled, lo);
}

/** Options of `normal`. */
export interface NormalOptions extends RandomOptions {
  readonly mean?: number;
  readonly deviation?: number;
}

/**
 * Normally distributed: Box and Muller (1958), √(−2 ln(1 − u)) · −cos(πv), within 8 ULP.
 *
 * Only one number of each pair is made, and for one half a turn has the distribution of a whole one. Written as
 * sin(π(v − ½)), whose argument is exact up to a rounding, it keeps its relative accuracy next to 0. Both words come
 * from one block.
 *
 * @example
 * ```ts
 * import { add, input, model, normal } from "@weft/weft";
 *
 * model({ x: input([8], "f32") }, ({ x }) => ({ noisy: add(x, normal([8], { deviation: 0.1 })) }));
 * ```
 */
export function normal<const S extends Shape>(
  shape: S,
  { mean = 0, deviation = 1, ...options }: NormalOptions = {},
): Tensor<S, "f32"> {
  if (!(deviation >= 0)) throw new ShapeError(`normal: deviation is ${deviation}; it must be 0 or more`);
  const pairs = randomBits([...shape, 2], options);
  const word = (i: number) => fraction(sliceAxis(pairs, -1, i) as Tensor<S, "u32">);
  const radius = sqrt(mul(log1p(neg(word(0))), -2));
  const z = mul(radius, sin(mul(sub(word(1), 0.5), Math.PI))) as Tensor<S, "f32">;
  const scaled = deviation === 1 ? z : mul(z, deviation);
  return mean === 0 ? scaled : add(scaled, mean);
}

/**
 * True with a probability, to the nearest 2⁻²⁴ above.
 *
 * @param probability A number, with the shape of the result, or a tensor of probabilities.
 * @example
 * ```ts
 * import { bernoulli, input, model } from "@weft/weft";
 *
 * model({ p: input([8], "f32") }, ({ p }) => ({ coins: bernoulli(0.5, [8]), each: bernoulli(p) }));
 * ```
 */
export function bernoulli(
  probability: number | Tensor<Shape, "f32">,
  shape?: Shape,
  options: RandomOptions = {},
): Tensor<Shape, "bool"> {
  const of = shape ?? (probability instanceof Tensor ? probability.shape : undefined);
  if (!of) {
    throw new ShapeError("bernoulli: a probability that is a number needs the shape of the result beside it");
  }
  return less(uniform(of, options), probability);
}
