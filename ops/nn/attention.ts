import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { applyAll } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { attentionForward } from "../../compiler/schedule/attention/forward.ts";
import { composite } from "../composite.ts";
import { defineOp } from "../define_op.ts";
import { attentionPlain } from "./attention_plain.ts";
import { attentionReference } from "./attention_reference.ts";
import { attentionSamples } from "./attention_samples.ts";
import { type AttentionAttrs, type AttentionOptions, attentionShapes, scaleOf } from "./attention_types.ts";

/**
 * O = softmax(q·kᵀ·scale + mask)·v and the log-sum-exp of each row of scores, in f32: what the gradient recomputes the
 * weights from, so that nothing of size T·S is ever kept.
 */
export const attentionOp = defineOp<AttentionAttrs>({
  name: "attention",
  infer(inputs) {
    const [q, k, v, mask] = inputs;
    if (inputs.length < 3 || inputs.length > 4) {
      throw new ShapeError(`attention: takes q, k, v and a mask, got ${inputs.length} operands`);
    }
    const [out, lse] = attentionShapes(q!, k!, v!, mask);
    return [{ shape: out, dtype: q!.dtype }, { shape: lse, dtype: "f32" }];
  },
  gradient: { notDifferentiable: "its backward kernels are not here yet; use attentionPlain" },
  reference: attentionReference,
  lower: {
    inlines: "all",
    plan({ attrs, inputs, outputs: [out, lse], values, target, label }) {
      const [q, k, v, mask] = inputs;
      const site = { q: q!, k: k!, v: v!, mask, causal: attrs.causal, scale: scaleOf(attrs, q!) };
      return attentionForward(values, { ...site, out: out!, lse: lse! }, target, label);
    },
  },
  expand: ([q, k, v, mask], { causal, scale }) =>
    attentionPlain(q!, k!, v!, { causal, mask, ...scale === null ? {} : { scale } }),
  ulp: 16,
  terms: ([q, k]) => q!.shape.at(-1)! + k!.shape.at(-2)!,
  samples: attentionSamples,
});

/**
 * Attention: each query takes the mean of v, weighted by softmax(q·kᵀ·scale + mask).
 *
 * One kernel forward and two backward; no buffer of queries × keys elements in either. A masked pair contributes nothing
 * whatever stands in v, and a query that sees no key gives 0.
 *
 * @param q [batch, heads, queries, D]; any leading axes, the last of them counts heads.
 * @param k [batch, heads / n, keys, D]: n query heads may share one.
 * @param v [batch, heads / n, keys, E]
 * @returns [batch, heads, queries, E]
 * @throws ShapeError when shapes or dtypes do not fit.
 */
export function attention<D extends DType>(
  q: Tensor<Shape, D>,
  k: Tensor<Shape, D>,
  v: Tensor<Shape, D>,
  { causal = false, scale, mask }: AttentionOptions = {},
): Tensor<Shape, D> {
  const inputs = mask ? [q, k, v, mask] : [q, k, v];
  const [out] = composite("attention", () => applyAll(attentionOp, inputs, { causal, scale: scale ?? null }));
  return out as Tensor<Shape, D>;
}
