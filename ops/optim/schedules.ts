/** Learning rates over time, computed in the graph from the step: one program serves every step. */

import { ShapeError } from "../../compiler/errors.ts";
import { add, div, mul, sub } from "../elementwise/arithmetic.ts";
import { less } from "../elementwise/comparison.ts";
import { minimum } from "../elementwise/extremum.ts";
import { clamp, where } from "../elementwise/select.ts";
import { cos } from "../elementwise/trigonometric.ts";
import { checkPositive, checkRange } from "./check.ts";
import type { Scalar, Schedule } from "./optimizer.ts";

/** Options of `warmupCosine` and `warmupLinear`; steps are runs of the training program. */
export interface WarmupCosineOptions {
  /** The rate at the end of the warm-up. */
  readonly peak: number;
  /** Steps in which the rate rises from 0 to the peak; the first step has peak / warmup. Default 0. */
  readonly warmup?: number;
  /** Step at which the rate has come down to the floor, where it stays. */
  readonly steps: number;
  /** Default 0. */
  readonly floor?: number;
}

/**
 * A straight line up, then half a cosine down.
 *
 * Source: Loshchilov, Hutter: SGDR: Stochastic Gradient Descent with Warm Restarts, 2017.
 *
 * @example
 * ```ts
 * import { adam, warmupCosine } from "@weft/weft";
 *
 * const rate = warmupCosine({ peak: 1e-3, warmup: 100, steps: 2000, floor: 1e-4 });
 * console.log(adam({ rate }).name);
 * ```
 */
export function warmupCosine({ peak, warmup = 0, steps, floor = 0 }: WarmupCosineOptions): Schedule {
  check("warmupCosine", peak, warmup, steps, floor);
  return (step) => {
    const turned = cos(mul(progress(step, warmup, steps), Math.PI));
    const down = add(mul(add(turned, 1), (peak - floor) / 2), floor);
    return warmedUp(step, peak, warmup, down);
  };
}

/**
 * A straight line up, then a straight line down to the floor.
 *
 * @example
 * ```ts
 * import { sgd, warmupLinear } from "@weft/weft";
 *
 * console.log(sgd({ rate: warmupLinear({ peak: 0.1, warmup: 10, steps: 1000 }) }).name);
 * ```
 */
export function warmupLinear({ peak, warmup = 0, steps, floor = 0 }: WarmupCosineOptions): Schedule {
  check("warmupLinear", peak, warmup, steps, floor);
  return (step) => {
    const down = add(mul(progress(step, warmup, steps), floor - peak), peak);
    return warmedUp(step, peak, warmup, down);
  };
}

/**
 * A straight line up, then the peak for good.
 *
 * @example
 * ```ts
 * import { adam, warmupConstant } from "@weft/weft";
 *
 * console.log(adam({ rate: warmupConstant({ peak: 1e-3, warmup: 100 }) }).name);
 * ```
 */
export function warmupConstant(
  { peak, warmup }: { readonly peak: number; readonly warmup: number },
): Schedule {
  checkPositive("warmupConstant", "peak", peak);
  checkPositive("warmupConstant", "warmup", warmup);
  return (step) => minimum(mul(add(step, 1), peak / warmup), peak);
}

/** 0 at the end of the warm-up, 1 from `steps` on. */
const progress = (step: Scalar, warmup: number, steps: number): Scalar =>
  clamp(div(sub(step, warmup), steps - warmup), 0, 1);

const warmedUp = (step: Scalar, peak: number, warmup: number, after: Scalar): Scalar =>
  warmup === 0 ? after : where(less(step, warmup), mul(add(step, 1), peak / warmup), after);

function check(op: string, peak: number, warmup: number, steps: number, floor: number): void {
  checkPositive(op, "peak", peak);
  checkRange(op, "warmup", warmup, 0, Infinity);
  checkRange(op, "floor", floor, 0, Infinity);
  if (typeof steps === "number" && steps - warmup >= 1) return;
  throw new ShapeError(`${op}: steps is ${steps}; it must be larger than warmup, ${warmup}`);
}
