/**
 * The gradient of attention in plain ops: what `attentionBackward` expands to, and, where somebody learns an additive mask,
 * the mask's own cotangent. That one is as large as the mask, so it cannot be had without what the kernels avoid.
 */

import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { div, mul, sub } from "../elementwise/arithmetic.ts";
import { equal } from "../elementwise/comparison.ts";
import { cast } from "../elementwise/convert.ts";
import { exp, sqrt } from "../elementwise/exponential.ts";
import { where } from "../elementwise/select.ts";
import { sizeOf } from "../leaves.ts";
import { matmul } from "../matmul.ts";
import { sum } from "../reduce/sum.ts";
import { transpose } from "../views/permute.ts";
import { reshape } from "../views/reshape.ts";
import { expandDims } from "../views/squeeze.ts";
import { attentionScores, sharedHeads, weightedSum } from "./attention_plain.ts";
import type { AttentionOptions } from "./attention_types.ts";

export interface AttentionGradientOperands {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** O, or Δ in its place: see `deltaOf`. */
  readonly out: Tensor;
  readonly lse: Tensor;
  readonly outGradient: Tensor;
}

export interface AttentionGradient {
  readonly dq: Tensor;
  readonly dk: Tensor;
  readonly dv: Tensor;
  /** Of the scores, [..., queries, keys]; 0 where a pair is masked. */
  readonly dScores: Tensor;
}

export function attentionGradientPlain(
  { q, k, v, out, lse, outGradient }: AttentionGradientOperands,
  options: AttentionOptions,
): AttentionGradient {
  const scores = attentionScores(q, k, options);
  const weights = exp(sub(scores, expandDims(cast(lse, q.dtype), -1)));
  const delta = out.shape.length < q.shape.length ? out : deltaOf(out, outGradient);
  const slopes = sub(matmul(outGradient, transpose(sharedHeads(v, q))), expandDims(cast(delta, q.dtype), -1));
  const dScores = where(equal(scores, -Infinity), 0, mul(weights, slopes));
  const scaled = options.scale === undefined
    ? div(dScores, sqrt(sizeOf(q.shape.at(-1)!, q.dtype)))
    : mul(dScores, options.scale);
  const across = { dScores: transpose(scaled), weights: transpose(weights), scores: transpose(scores) };
  return {
    dq: weightedSum(scaled, sharedHeads(k, q), scores, options),
    dk: ofSharedHeads(weightedSum(across.dScores, q, across.scores, options), k),
    dv: ofSharedHeads(weightedSum(across.weights, outGradient, across.scores, options), v),
    dScores,
  };
}

/** Δ = Σ ∂/∂O · O − ∂/∂lse per query: how much of ∂P every weight of a row shares. */
export function deltaOf(out: Tensor, outGradient: Tensor, lseGradient?: Tensor): Tensor {
  const rows = cast(sum(mul(outGradient, out), -1), "f32");
  return lseGradient ? sub(rows, lseGradient) : rows;
}

/** Heads that share one of x: their cotangents add up. */
function ofSharedHeads(g: Tensor, x: Tensor): Tensor {
  const [heads, own] = [g.shape.at(-3), x.shape.at(-3)];
  if (heads === own || typeof heads !== "number" || typeof own !== "number") return g;
  return sum(reshape(g, [...x.shape.slice(0, -3), own, heads / own, ...x.shape.slice(-2)]), -3);
}

/** The cotangent of what was broadcast to the shape of `g`. */
export function unbroadcast(g: Tensor, shape: Shape): Tensor {
  const lead = g.shape.length - shape.length;
  const axes = g.shape.flatMap((d, a) => a < lead || (shape[a - lead] === 1 && d !== 1) ? [a] : []);
  return reshape(sum(g, axes), shape);
}
