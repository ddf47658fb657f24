import { ShapeError } from "../../compiler/errors.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { add, mul, sub } from "../elementwise/arithmetic.ts";
import { checkClip, checkRange, checkRate } from "./check.ts";
import { gradientsOf, type Optimizer, type OptimizerOptions, rateAt } from "./optimizer.ts";

/** Options of `sgd`. */
export interface SgdOptions extends OptimizerOptions {
  /** Part of the last step that is taken again. Default 0: no state. */
  readonly momentum?: number;
  /** Whether the gradient is taken as if the momentum had been followed already. Default false. */
  readonly nesterov?: boolean;
  /** Weight decay, added to the gradient as decay · parameter. Default 0. */
  readonly decay?: number;
}

/**
 * Stochastic gradient descent, with momentum if asked for.
 *
 * Source: Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum in deep learning, 2013.
 *
 * @example
 * ```ts
 * import { input, linear, model, mse, sgd, trainStep } from "@weft/weft";
 *
 * const net = model({ x: input(["batch", 4], "f32"), y: input(["batch", 1], "f32") }, ({ x, y }) => {
 *   return { loss: mse(linear(4, 1)(x), y) };
 * });
 * const step = trainStep(net, sgd({ rate: 0.1, momentum: 0.9, nesterov: true }));
 * console.log(step.states.length);
 * ```
 */
export function sgd(options: SgdOptions): Optimizer {
  checkRate("sgd", options);
  const { rate, momentum = 0, nesterov = false, decay = 0 } = options;
  checkRange("sgd", "momentum", momentum, 0, 1);
  checkRange("sgd", "decay", decay, 0, Infinity);
  checkClip("sgd", options);
  if (nesterov && momentum === 0) {
    throw new ShapeError(
      "sgd: nesterov looks ahead along the momentum, which is 0; give one, such as momentum: 0.9",
    );
  }
  return {
    name: "sgd",
    update(site) {
      const now = rateAt(rate, site.step);
      const clipped = gradientsOf(site, options);
      const pulls = decay === 0
        ? clipped
        : clipped.map((g, i) => add(g, mul(site.trained[i]!.parameter, decay)));
      let steps: readonly Tensor[] = pulls;
      if (momentum > 0) {
        const velocity = site.slots("velocity");
        const next = pulls.map((g, i) => add(mul(velocity.values[i]!, momentum), g));
        velocity.advance(next);
        steps = nesterov ? next.map((v, i) => add(mul(v, momentum), pulls[i]!)) : next;
      }
      return site.trained.map(({ parameter }, i) => sub(parameter, mul(steps[i]!, now)));
    },
  };
}
