import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { applyAll } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { planForward } from "../../compiler/schedule/attention/plan.ts";
import type { Attended } from "../../compiler/model/partial_types.ts";
import { composite } from "../composite.ts";
import { defineOp } from "../define_op.ts";
import { full } from "../leaves.ts";
import { attentionBackward } from "./attention_backward.ts";
import { attentionGradientPlain, deltaOf, unbroadcast } from "./attention_gradient_plain.ts";
import { attentionPlain } from "./attention_plain.ts";
import { attentionReference } from "./attention_reference.ts";
import { attentionSamples } from "./attention_samples.ts";
import {
  type AttentionAttrs,
  type AttentionOptions,
  attentionShapes,
  optionsOf,
  scaleOf,
} from "./attention_types.ts";

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
  gradient({ inputs: [q, k, v, mask], outputs: [out, lse], cotangents: [g, lseGradient], attrs }) {
    if (!g && !lseGradient) return [null, null, null, null];
    const outGradient = g ?? full(out!.shape, 0, out!.dtype);
    const known = lseGradient ? deltaOf(out!, outGradient, lseGradient) : out!;
    const operands = { q: q!, k: k!, v: v!, out: known, lse: lse!, outGradient };
    const cotangents = attentionBackward({ ...operands, mask }, attrs);
    if (!mask || mask.dtype === "bool") return cotangents;
    // As large as the mask, and made only if somebody learns it: nodes that nobody asks for are never computed.
    const { dScores } = attentionGradientPlain(operands, optionsOf(attrs, mask));
    return [...cotangents, unbroadcast(dScores, mask.shape)];
  },
  reference: attentionReference,
  lower: {
    inlines: "all",
    plan({ attrs, inputs, outputs: [out, lse], values, target, label }) {
      const [q, k, v, mask] = inputs;
      const site = { q: q!, k: k!, v: v!, mask, causal: attrs.causal, scale: scaleOf(attrs, q!) };
      return planForward(values, { ...site, out: out!, lse: lse! }, target, label);
    },
  },
  expand: ([q, k, v, mask], attrs) => attentionPlain(q!, k!, v!, optionsOf(attrs, mask)),
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
 * @example
 * ```ts
 * import { attention, input, model } from "@weft/weft";
 *
 * const heads = input(["batch", 4, "seq", 32], "f32");
 * model({ q: heads, k: heads, v: heads }, ({ q, k, v }) => ({ out: attention(q, k, v, { causal: true }) }));
 * ```
 */
export function attention<Q extends Shape, D extends DType, V extends Shape>(
  q: Tensor<Q, D>,
  k: Tensor<Shape, NoInfer<D>>,
  v: Tensor<V, NoInfer<D>>,
  { causal = false, scale, mask }: AttentionOptions = {},
): Tensor<Attended<Q, V>, D> {
  const inputs = mask ? [q, k, v, mask] : [q, k, v];
  const [out] = composite("attention", () => applyAll(attentionOp, inputs, { causal, scale: scale ?? null }));
  return out as Tensor<Attended<Q, V>, D>;
}
