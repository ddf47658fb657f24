import { apply } from "../compiler/graph/build.ts";
import type { DType } from "../compiler/graph/dtype.ts";
import type { Shape } from "../compiler/graph/dim.ts";
import type { Tensor } from "../compiler/graph/node.ts";
import { defineOp } from "./define_op.ts";

/** The identity, as a place where fusion ends. */
export const noFuseOp = defineOp<Record<never, never>>({
  name: "noFuse",
  infer: ([x]) => [x!],
  gradient: ({ cotangents: [g] }) => [g ?? null],
  reference: ([x]) => [x!.slice()],
  lower: (_k, [x], at) => x!.at(at),
  barrier: true,
  samples: [
    { inputs: [{ shape: [3, 5] }], attrs: {} },
    { inputs: [{ shape: [4], dtype: "bool" }], attrs: {} },
    { inputs: [{ shape: [0, 2] }], attrs: {} },
  ],
});

/**
 * x, stored: the kernel that computes it ends there, and whatever uses the result loads it. The gradient passes through,
 * and is left to the compiler.
 *
 * For experiments, and where the compiler would compute again what is dearer than it thinks. A hint binds: every policy
 * is held to it.
 *
 * @example
 * ```ts
 * import { exp, input, model, mul, noFuse } from "@weft/weft";
 *
 * const net = model({ x: input([1024], "f32") }, ({ x }) => {
 *   const e = noFuse(exp(x)); // two kernels: exp, then the product
 *   return { y: mul(e, 2) };
 * });
 * ```
 */
export function noFuse<S extends Shape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
  return apply(noFuseOp, [x], {}) as Tensor<S, D>;
}
