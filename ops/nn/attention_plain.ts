/**
 * Attention in plain ops: its meaning, which `attention` expands to where it is not one kernel.
 *
 * A masked pair contributes nothing: not 0 · v, which is NaN where v is infinite, so the product is selected and not
 * multiplied by zero. A row whose pairs are all masked is 0, and its log-sum-exp is −∞ (SEMANTICS §8).
 */

import { ShapeError } from "../../compiler/errors.ts";
import { sameShape, type Shape, showShape, subDims } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { composite } from "../composite.ts";
import { add, div, mul, sub } from "../elementwise/arithmetic.ts";
import { equal, lessEqual } from "../elementwise/comparison.ts";
import { exp, log } from "../elementwise/exponential.ts";
import { and } from "../elementwise/logical.ts";
import { where } from "../elementwise/select.ts";
import { iota, sizeOf } from "../leaves.ts";
import { stopGradient } from "../markers.ts";
import { matmul } from "../matmul.ts";
import { maxFast } from "../reduce/extremum.ts";
import { sum } from "../reduce/sum.ts";
import { transpose } from "../views/permute.ts";
import { expandDims, squeeze } from "../views/squeeze.ts";

export interface AttentionOptions {
  /** Whether query i sees keys up to i only; with more keys than queries, the last query sees all of them. */
  readonly causal?: boolean;
  /** Factor of the scores. Default 1/√(head size). */
  readonly scale?: number;
  /** True where a query may see a key; broadcasts against [B, H, queries, keys]. */
  readonly mask?: Tensor<Shape, "bool"> | undefined;
}

/**
 * softmax(q·kᵀ·scale)·v and the log-sum-exp of each row.
 *
 * @param q [B, H, T, D]
 * @param k [B, H, S, D]
 * @param v [B, H, S, E]
 * @returns [B, H, T, E] and [B, H, T]
 */
export function attentionPlain(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions = {},
): readonly [output: Tensor, lse: Tensor] {
  checkAttention(q, k, v);
  const size = q.shape.at(-1)!;
  const { scale = 1 / Math.sqrt(Number(size)) } = options;
  return composite("attention", () => {
    const scores = mul(matmul(q, transpose(k)), scale);
    const visible = visiblePairs(q, k, options);
    const seen = visible ? where(visible, scores, -Infinity) : scores;
    const top = stopGradient(maxFast(seen, -1));
    const empty = equal(top, -Infinity);
    const shift = where(empty, 0, top);
    const e = exp(sub(seen, shift));
    const total = sum(e, -1, { keepDims: true });
    const weights = div(e, where(empty, 1, total));
    const lse = squeeze(add(log(total), shift), -1);
    if (!visible) return [matmul(weights, v), lse];
    // [B, H, T, S, 1] · [B, H, 1, S, E], summed over S.
    const products = mul(expandDims(weights, -1), expandDims(v, -3));
    return [sum(where(expandDims(visible, -1), products, 0), -2), lse];
  });
}

/** Which pairs of query and key count; undefined: all. */
function visiblePairs(
  q: Tensor,
  k: Tensor,
  { causal, mask }: AttentionOptions,
): Tensor<Shape, "bool"> | undefined {
  if (!causal) return mask;
  const [queries, keys] = [q.shape.at(-2)!, k.shape.at(-2)!];
  const more = subDims(keys, queries);
  const position = expandDims(iota([queries]), -1);
  const last = more === 0 ? position : add(position, sizeOf(more, "i32"));
  const before = lessEqual(expandDims(iota([keys]), 0), last) as Tensor<Shape, "bool">;
  return mask ? and(before, mask) : before;
}

export function checkAttention(q: Tensor, k: Tensor, v: Tensor): void {
  const shapes = `q ${showShape(q.shape)}, k ${showShape(k.shape)}, v ${showShape(v.shape)}`;
  if ([q, k, v].some((t) => t.shape.length !== 4)) {
    throw new ShapeError(`attention: ${shapes}; each must be [batch, heads, positions, head size]`);
  }
  const lead = (t: Tensor) => t.shape.slice(0, 2);
  if (!sameShape(lead(q), lead(k)) || !sameShape(lead(k), lead(v))) {
    throw new ShapeError(`attention: ${shapes}; batch and heads must be equal`);
  }
  if (q.shape[3] !== k.shape[3]) throw new ShapeError(`attention: ${shapes}; head sizes of q and k differ`);
  if (k.shape[2] !== v.shape[2]) throw new ShapeError(`attention: ${shapes}; k and v differ in positions`);
}
