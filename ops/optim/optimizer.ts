/**
 * What an optimizer is: a rule from parameters and gradients to new parameters, with states of its own.
 *
 * Every parameter's update has the same structure of ops and differs in shapes and constants only, and what all share
 * (the rate, bias corrections) is a scalar tensor. So the compiler can pack all updates into one kernel.
 */

import type { Tensor } from "../../compiler/graph/node.ts";
import { cast } from "../elementwise/convert.ts";
import { add, div, mul } from "../elementwise/arithmetic.ts";
import { sqrt } from "../elementwise/exponential.ts";
import { minimum } from "../elementwise/extremum.ts";
import { scalar } from "../leaves.ts";
import { sumOfSquares } from "./sum_of_squares.ts";

/** A number that all updates of a run share. */
export type Scalar = Tensor<readonly [], "f32">;

/** The learning rate at a step (counted from 0), in ops: one program serves every step. */
export type Schedule = (step: Scalar) => Scalar;

/** A parameter and its gradient, both f32. */
export interface Trained {
  readonly path: string;
  readonly parameter: Tensor;
  readonly gradient: Tensor;
}

/** What an optimizer works with. */
export interface UpdateSite {
  readonly trained: readonly Trained[];
  /** Runs before this one. The optimizer's states are advanced by whoever calls it. */
  readonly step: Scalar;
  /**
   * One state of zeros (f32) per parameter, at `<optimizer>/<name>/<path of the parameter>`. `advance` gives each its
   * new contents.
   */
  slots(name: string): { readonly values: readonly Tensor[]; advance(values: readonly Tensor[]): void };
}

/** A rule from parameters and gradients to new parameters; `adam`, `adamW` and `sgd` make them. */
export interface Optimizer {
  /** First element of its states' paths. */
  readonly name: string;
  /** The new parameters, in the order of `trained`. */
  update(site: UpdateSite): readonly Tensor[];
}

/** Options that all optimizers have. */
export interface OptimizerOptions {
  /** The learning rate: a number, or a schedule such as `warmupCosine(…)`. */
  readonly rate: number | Schedule;
  /** Largest global norm of the gradients; larger ones are scaled down. Default: no limit. */
  readonly clip?: number;
}

export const rateAt = (rate: number | Schedule, step: Scalar): Scalar =>
  typeof rate === "number" ? scalar(rate, "f32") as Scalar : rate(step);

/** √(Σ Σ g²) over all elements of all tensors. */
export function globalNorm(tensors: readonly Tensor[]): Scalar {
  return sqrt(sumOfSquares(tensors.map((t) => cast(t, "f32"))));
}

/**
 * Gradients scaled by one factor so that their global norm is at most `max`. A NaN norm stays NaN: it shows.
 *
 * Source: Pascanu, Mikolov, Bengio: On the difficulty of training recurrent neural networks, 2013.
 *
 * @example
 * ```ts
 * import { add, clipByGlobalNorm, exp, globalNorm, gradient, input, model, sum } from "@weft/weft";
 *
 * model({ x: input([3], "f32"), y: input([4], "f32") }, ({ x, y }) => {
 *   const slopes = gradient(add(sum(exp(x)), sum(exp(y))), [x, y]);
 *   const [dx, dy] = clipByGlobalNorm(slopes, 1);
 *   return { dx: dx!, dy: dy!, norm: globalNorm(slopes) };
 * });
 * ```
 */
export function clipByGlobalNorm(gradients: readonly Tensor[], max: number): readonly Tensor[] {
  const factor = minimum(div(max, add(globalNorm(gradients), 1e-6)), 1);
  return gradients.map((g) => mul(g, factor));
}

/** The gradients of a site, clipped where the options say so. */
export const gradientsOf = ({ trained }: UpdateSite, { clip }: OptimizerOptions): readonly Tensor[] => {
  const gradients = trained.map((t) => t.gradient);
  return clip === undefined ? gradients : clipByGlobalNorm(gradients, clip);
};
