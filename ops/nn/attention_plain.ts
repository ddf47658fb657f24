/**
 * Attention in plain ops: its meaning, which `attention` expands to where it is not one kernel.
 *
 * A masked pair, that is one with a score of −∞, contributes nothing: not 0 · v, which is NaN where v is infinite, so the
 * product is selected and not multiplied by zero. A row whose pairs are all masked is 0, and its log-sum-exp is −∞
 * (SEMANTICS §8).
 */

import { type Shape, subDims } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { composite } from "../composite.ts";
import { add, div, mul, sub } from "../elementwise/arithmetic.ts";
import { equal, lessEqual, notEqual } from "../elementwise/comparison.ts";
import { cast } from "../elementwise/convert.ts";
import { exp, log, sqrt } from "../elementwise/exponential.ts";
import { where } from "../elementwise/select.ts";
import { iota, sizeOf } from "../leaves.ts";
import { stopGradient } from "../markers.ts";
import { matmul } from "../matmul.ts";
import { maxFast } from "../reduce/extremum.ts";
import { sum } from "../reduce/sum.ts";
import { broadcastTo } from "../views/broadcast.ts";
import { transpose } from "../views/permute.ts";
import { reshape } from "../views/reshape.ts";
import { expandDims, squeeze } from "../views/squeeze.ts";
import { type AttentionOptions, attentionShapes } from "./attention_types.ts";

export type { AttentionOptions } from "./attention_types.ts";

/**
 * softmax(q·kᵀ·scale + mask)·v and the log-sum-exp of each row.
 *
 * @param q [B, H, T, D]
 * @param k [B, Hk, S, D], H a multiple of Hk
 * @param v [B, Hk, S, E]
 * @returns [B, H, T, E] and [B, H, T]
 */
export function attentionPlain(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions = {},
): readonly [output: Tensor, lse: Tensor] {
  attentionShapes(q, k, v, options.mask);
  return composite("attention", () => {
    const scores = attentionScores(q, k, options);
    const top = stopGradient(maxFast(scores, -1));
    const empty = equal(top, -Infinity);
    const shift = where(empty, 0, top);
    const e = exp(sub(scores, shift));
    const total = sum(e, -1, { keepDims: true });
    const weights = div(e, where(empty, 1, total));
    const lse = cast(squeeze(add(log(total), shift), -1), "f32");
    return [weightedSum(weights, sharedHeads(v, q), scores, options), lse];
  });
}

/** q·kᵀ·scale + mask, −∞ where the pair is masked. */
export function attentionScores(q: Tensor, k: Tensor, { causal, scale, mask }: AttentionOptions): Tensor {
  const products = matmul(q, transpose(sharedHeads(k, q)));
  let scores = scale === undefined
    ? div(products, sqrt(sizeOf(q.shape.at(-1)!, q.dtype)))
    : mul(products, scale);
  if (mask) {
    scores = mask.dtype === "bool"
      ? where(mask as Tensor<Shape, "bool">, scores, -Infinity)
      : add(scores, mask);
  }
  return causal ? where(before(q, k), scores, -Infinity) : scores;
}

/** Σ_j weights[i, j] · x[j, :] without the masked pairs. */
export function weightedSum(weights: Tensor, x: Tensor, scores: Tensor, options: AttentionOptions): Tensor {
  if (!options.causal && !options.mask) return matmul(weights, x);
  // [B, H, T, S, 1] · [B, H, 1, S, E], summed over S.
  const products = mul(expandDims(weights, -1), expandDims(x, -3));
  return sum(where(expandDims(notEqual(scores, -Infinity), -1), products, 0), -2);
}

/** k or v with as many heads as q. */
export function sharedHeads(x: Tensor, q: Tensor): Tensor {
  const [heads, own] = [q.shape.at(-3), x.shape.at(-3)];
  if (heads === own || typeof heads !== "number" || typeof own !== "number") return x;
  const [lead, matrix] = [x.shape.slice(0, -3), x.shape.slice(-2)];
  const repeated = broadcastTo(expandDims(x, -3), [...lead, own, heads / own, ...matrix]);
  return reshape(repeated, [...lead, heads, ...matrix]);
}

/** Key j is no later than query i. */
function before(q: Tensor, k: Tensor): Tensor<Shape, "bool"> {
  const [queries, keys] = [q.shape.at(-2)!, k.shape.at(-2)!];
  const more = subDims(keys, queries);
  const position = expandDims(iota([queries]), -1);
  const last = more === 0 ? position : add(position, sizeOf(more, "i32"));
  return lessEqual(expandDims(iota([keys]), 0), last) as Tensor<Shape, "bool">;
}
