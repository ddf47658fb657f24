/**
 * Where randomness comes from: (seed, step), two words of state that a run reads and a training step advances.
 *
 * Everything random in a run is a function of these two words and of the stream that each random op carries, so a run
 * can be repeated, resumed, and recomputed in a gradient (SEMANTICS §5).
 */

import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { add } from "../elementwise/arithmetic.ts";
import { constant, stateOp } from "../leaves.ts";

/** Path of the state, in checkpoints and reports. */
export const randomKeyPath = "random/key";

/**
 * The graph's (seed, step). Equal nodes are one node, so there is one per graph however often it is asked for.
 *
 * @example
 * ```ts
 * import { model, randomKey, uniform } from "@weft/weft";
 *
 * // Two draws that share a key and differ in their streams.
 * model({}, () => {
 *   const key = randomKey();
 *   return { a: uniform([4], { key }), b: uniform([4], { key }) };
 * });
 * ```
 */
export function randomKey(): Tensor<readonly [2], "u32"> {
  const attrs = { path: randomKeyPath, shape: [2], dtype: "u32", role: "state" } as const;
  return apply(stateOp, [], attrs) as Tensor<readonly [2], "u32">;
}

/** The key of the next run: what a training step writes back to the state. */
export function advancedKey(key: Tensor<readonly [2], "u32"> = randomKey()): Tensor<readonly [2], "u32"> {
  return add(key, constant([0, 1], [2], "u32"));
}
