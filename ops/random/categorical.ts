import { ShapeError } from "../../compiler/errors.ts";
import { type Shape, showShape } from "../../compiler/graph/dim.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import { add, mul, neg } from "../elementwise/arithmetic.ts";
import { shiftRight } from "../elementwise/bitwise.ts";
import { cast } from "../elementwise/convert.ts";
import { log } from "../elementwise/exponential.ts";
import { argmax } from "../reduce/arg_extremum.ts";
import { randomBits, type RandomOptions } from "./bits.ts";

/** Options of `categorical`. */
export interface CategoricalOptions extends RandomOptions {
  /** The axis of the categories. Default: the last. */
  readonly axis?: number;
}

/**
 * Draws a category per row with probability proportional to eˡᵒᵍⁱᵗ: the largest of logit + Gumbel noise (Gumbel 1954).
 *
 * The logits need not be normalized; −∞ is never drawn while there is another. The noise is −ln(−ln u) with u at the
 * middle of one of 2²³ equal parts of (0, 1): exact in f32, and neither 0 nor 1.
 *
 * @returns Indices (i32); the axis of the categories is gone.
 * @example
 * ```ts
 * import { categorical, div, input, model } from "@weft/weft";
 *
 * model({ logits: input(["batch", 65], "f32") }, ({ logits }) => {
 *   return { token: categorical(logits), colder: categorical(div(logits, 0.8)) }; // i32[batch]
 * });
 * ```
 */
export function categorical(
  logits: Tensor<Shape, "f32">,
  { axis = -1, ...options }: CategoricalOptions = {},
): Tensor<Shape, "i32"> {
  if (logits.shape.length === 0) {
    throw new ShapeError(
      `categorical: logits of shape ${showShape(logits.shape)} have no axis of categories`,
    );
  }
  if (logits.dtype as DType !== "f32") {
    throw new ShapeError(`categorical: logits are ${showType(logits)}; use cast(logits, "f32")`);
  }
  const part = cast(shiftRight(randomBits(logits.shape, options), 9), "f32");
  const u = mul(add(part, 0.5), 2 ** -23);
  const noise = neg(log(neg(log(u))));
  return argmax(add(logits, noise), axis);
}
