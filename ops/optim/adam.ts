import * as real from "../../compiler/graph/real.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { add, div, mul, neg, square, sub } from "../elementwise/arithmetic.ts";
import { expm1, rsqrt, sqrt } from "../elementwise/exponential.ts";
import { checkClip, checkPositive, checkRange, checkRate } from "./check.ts";
import { gradientsOf, type Optimizer, type OptimizerOptions, rateAt, type Scalar } from "./optimizer.ts";

/** Options of `adam`. */
export interface AdamOptions extends OptimizerOptions {
  /** Decay of the running means of g and g². Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number;
}

/** Options of `adamW`. */
export interface AdamWOptions extends AdamOptions {
  /** Part of a parameter that is taken away per step, times the rate. Default 0.01. */
  readonly decay?: number;
  /** Which parameters decay. Default: those of rank 2 and more, so not biases and norms. */
  readonly decays?: (path: string, parameter: Tensor) => boolean;
}

/**
 * Adam: steps of the rate's size along the running mean of the gradient, per element over its running deviation.
 *
 * Source: Kingma, Ba: Adam: A Method for Stochastic Optimization, 2015.
 *
 * @example
 * ```ts
 * import { adam, crossEntropy, input, linear, model, trainStep } from "@weft/weft";
 *
 * const net = model({ x: input(["batch", 4], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
 *   return { loss: crossEntropy(linear(4, 3)(x), y) };
 * });
 * const step = trainStep(net, adam({ rate: 1e-3 }));
 * ```
 */
export function adam(options: AdamOptions): Optimizer {
  return adamFamily("adam", options, () => 0);
}

/**
 * Adam with decoupled weight decay.
 *
 * Source: Loshchilov, Hutter: Decoupled Weight Decay Regularization, 2019.
 *
 * @example
 * ```ts
 * import { adamW, warmupCosine } from "@weft/weft";
 *
 * const schedule = warmupCosine({ peak: 3e-4, warmup: 100, steps: 5000 });
 * // Weights decay; biases and scales, which have one axis, do not.
 * const optimizer = adamW({ rate: schedule, decay: 0.1, clip: 1, decays: (_path, { shape }) => shape.length >= 2 });
 * console.log(optimizer.name);
 * ```
 */
export function adamW(options: AdamWOptions): Optimizer {
  checkRate("adamW", options);
  const { decay = 0.01, decays = (_path, parameter) => parameter.shape.length >= 2 } = options;
  checkRange("adamW", "decay", decay, 0, Infinity);
  return adamFamily("adamW", options, (path, parameter) => decays(path, parameter) ? decay : 0);
}

function adamFamily(
  name: string,
  options: AdamOptions,
  decayOf: (path: string, parameter: Tensor) => number,
): Optimizer {
  checkRate(name, options);
  const { rate, betas: [beta1, beta2] = [0.9, 0.999], epsilon = 1e-8 } = options;
  checkClip(name, options);
  checkRange(name, "the first of betas", beta1, 0, 1);
  checkRange(name, "the second of betas", beta2, 0, 1);
  checkPositive(name, "epsilon", epsilon);
  const decayed = name === "adamW";
  return {
    name,
    update(site) {
      const now = rateAt(rate, site.step);
      const count = add(site.step, 1);
      // What all elements share, once: the running means start at 0, and 1 − βᵗ is what they lack.
      const meanScale = div(now, lack(beta1, count));
      const rootScale = rsqrt(lack(beta2, count));
      const m = site.slots("m");
      const v = site.slots("v");
      const gradients = gradientsOf(site, options);
      const means = gradients.map((g, i) => add(mul(m.values[i]!, beta1), mul(g, 1 - beta1)));
      const squares = gradients.map((g, i) => add(mul(v.values[i]!, beta2), mul(square(g), 1 - beta2)));
      m.advance(means);
      v.advance(squares);
      return site.trained.map(({ path, parameter }, i) => {
        const root = add(mul(sqrt(squares[i]!), rootScale), epsilon);
        const step = div(mul(means[i]!, meanScale), root);
        // The same ops for every parameter: one that does not decay has the constant 0.
        const shrink = decayed ? mul(mul(parameter, decayOf(path, parameter)), now) : undefined;
        return sub(parameter, shrink ? add(step, shrink) : step);
      });
    },
  };
}

/** 1 − βᵗ, without the cancellation that β near 1 has in f32. */
const lack = (beta: number, t: Scalar): Scalar => neg(expm1(mul(t, real.log(beta))));
