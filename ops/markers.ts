/**
 * Ops that compute nothing: they tell the compiler something about a value. All are the identity on an input, and are
 * gone from the graph before it is fused (`compiler/model/erase_markers.ts`).
 */

import { ShapeError } from "../compiler/errors.ts";
import { apply, applyAll, GraphBuilder } from "../compiler/graph/build.ts";
import type { DType } from "../compiler/graph/dtype.ts";
import { sameShape, type Shape } from "../compiler/graph/dim.ts";
import { showType, Tensor } from "../compiler/graph/node.ts";
import type { GradientSite } from "../compiler/graph/op.ts";
import { defineOp } from "./define_op.ts";
import { full } from "./leaves.ts";

/** x, through which no gradient flows. */
export const stopGradientOp = defineOp<Record<never, never>>({
  name: "stopGradient",
  infer: ([x]) => [x!],
  gradient: () => [null],
  reference: ([x]) => [x!.slice()],
  lower: (_k, [x], at) => x!.at(at),
  view: true,
  samples: [{ inputs: [{ shape: [3, 4] }], attrs: {} }],
});

/**
 * x, which gradients treat as a constant.
 *
 * @example
 * ```ts
 * import { input, model, mse, stopGradient } from "@weft/weft";
 *
 * // The target moves, and is not pulled along.
 * model({ x: input([4], "f32"), y: input([4], "f32") }, ({ x, y }) => ({ loss: mse(x, stopGradient(y)) }));
 * ```
 */
export function stopGradient<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return apply(stopGradientOp, [x], {}) as Tensor<S, D>;
}

/** Its first input in a training program, its second in any other. */
export const phaseOp = defineOp<Record<never, never>>({
  name: "phase",
  infer([training, inference]) {
    if (!sameShape(training!.shape, inference!.shape) || training!.dtype !== inference!.dtype) {
      throw new ShapeError(
        `whenTraining: ${showType(training!)} in training and ${
          showType(inference!)
        } otherwise; they must be equal`,
      );
    }
    return [training!];
  },
  gradient({ inputs: [x], cotangents: [g] }) {
    if (!g) return [null, null];
    const zero = full(x!.shape, 0, x!.dtype);
    return [whenTraining(g, zero), whenTraining(zero, g)];
  },
  reference: ([, inference]) => [inference!.slice()],
  lower: (_k, [, inference], at) => inference!.at(at),
  view: true,
  samples: [{ inputs: [{ shape: [3, 4] }, { shape: [3, 4] }], attrs: {} }],
});

/**
 * `training` in a program made by `trainStep`, `otherwise` in every other: what dropout and batch normalization are
 * built on, so that one model serves both.
 *
 * @example
 * ```ts
 * import { add, input, model, normal, whenTraining } from "@weft/weft";
 *
 * model({ x: input([4], "f32") }, ({ x }) => ({ y: whenTraining(add(x, normal([4])), x) })); // noise in training
 * ```
 */
export function whenTraining<S extends Shape, D extends DType>(
  training: Tensor<S, D>,
  otherwise: Tensor<S, D>,
): Tensor<S, D> {
  return apply(phaseOp, [training, otherwise], {}) as Tensor<S, D>;
}

/** A user's gradient rule. Functions have no content to intern by, so each use has a number of its own. */
export interface CustomRule {
  readonly call: (site: GradientSite<unknown>) => readonly (Tensor | null)[];
  toJSON(): number;
}

/** The first `results` inputs; the other inputs are what the rule gives cotangents for. */
export const customGradientOp = defineOp<{ results: number; rule: CustomRule }>({
  name: "customGradient",
  infer: (inputs, { results }) => inputs.slice(0, results),
  gradient({ inputs, outputs, cotangents, attrs }) {
    const { results, rule } = attrs;
    const flowing = rule.call({ inputs: inputs.slice(results), outputs, cotangents, attrs: {} });
    if (!Array.isArray(flowing) || flowing.length !== inputs.length - results) {
      throw new ShapeError(
        `customGradient: the rule gave ${flowing?.length ?? 0} cotangents for ${
          inputs.length - results
        } inputs; ` +
          "give one per input, null where none flows",
      );
    }
    flowing.forEach((g, i) => {
      const x = inputs[results + i]!;
      if (g && (g.dtype !== x.dtype || !sameShape(g.shape, x.shape))) {
        throw new ShapeError(
          `customGradient: the cotangent of input ${i} is ${showType(g)}; it must be ${
            showType(x)
          } as the input is`,
        );
      }
    });
    return [...Array(results).fill(null), ...flowing];
  },
  reference: (inputs, { results }) => inputs.slice(0, results).map((x) => x.slice()),
  lower: (_k, inputs, at, { result }) => inputs[result]!.at(at),
  view: true,
  samples: [],
});

/** The cotangents of results, in order: null where nothing flows, which cannot be where there is one result only. */
type Cotangents<R extends readonly Tensor[]> = {
  readonly [K in keyof R]: R["length"] extends 1 ? R[K] : R[K] | null;
};

/**
 * f(inputs) with a gradient rule of your own.
 *
 * The rule is asked once per call of `gradient` that reaches the results; what it gives are ops like any others, so a
 * gradient of the gradient goes through them. For a kernel of your own there is `customKernel`.
 *
 * @param f Computes the results in ops; its own gradient is never asked for.
 * @param rule One cotangent per input (null: none flows), from the inputs, the results and the results' cotangents. A
 * result that nothing flows into has null for a cotangent.
 * @returns The results of f, as they are.
 * @throws ShapeError where the rule gives too few cotangents, or one that is not of its input's type.
 * @example A gradient that is clipped on its way back
 * ```ts
 * import { clamp, customGradient, input, model } from "@weft/weft";
 *
 * model({ x: input(["n"], "f32") }, ({ x }) => {
 *   const [y] = customGradient([x], ([x]) => [x], ({ cotangents: [g] }) => [clamp(g, -1, 1)]);
 *   return { y }; // y: Tensor<readonly ["n"], "f32">
 * });
 * ```
 */
export function customGradient<const T extends readonly Tensor[], const R extends readonly Tensor[]>(
  inputs: T,
  f: (inputs: T) => R,
  rule: (site: {
    readonly inputs: T;
    readonly outputs: R;
    readonly cotangents: Cotangents<R>;
  }) => { readonly [K in keyof T]: Tensor | null },
): R {
  const builder = GraphBuilder.current("customGradient");
  const results = f(inputs);
  if (!Array.isArray(results) || results.length === 0 || !results.every((t) => t instanceof Tensor)) {
    throw new ShapeError("customGradient: the function must give its results as an array of tensors: [y]");
  }
  const number = builder.newInstance();
  const applied = applyAll(customGradientOp, [...results, ...inputs], {
    results: results.length,
    rule: { call: rule as unknown as CustomRule["call"], toJSON: () => number },
  });
  return applied as readonly Tensor[] as R;
}
