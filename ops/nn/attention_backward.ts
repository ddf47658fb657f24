import * as real from "../../compiler/graph/real.ts";
import type { HostArray } from "../../compiler/graph/dtype.ts";
import { hostArray } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { applyAll } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Sample, SampleInput } from "../../compiler/graph/op.ts";
import type { ConcreteType } from "../../compiler/kernel/value.ts";
import { planBackward } from "../../compiler/schedule/attention/plan.ts";
import { defineOp } from "../define_op.ts";
import { count } from "../views/walk.ts";
import { attentionGradientPlain } from "./attention_gradient_plain.ts";
import { attentionReference, forEachRow } from "./attention_reference.ts";
import { attentionSamples } from "./attention_samples.ts";
import { type AttentionAttrs, optionsOf, scaleOf } from "./attention_types.ts";

/** What backward takes: q, k, v, O, lse, ∂/∂O, and the mask. */
interface Operands<T> {
  readonly q: T;
  readonly k: T;
  readonly v: T;
  /**
   * O, or in its place Δ = Σ ∂/∂O · O − ∂/∂lse with one number per query: what a cotangent of lse comes in by. So a
   * kernel never binds more than eight buffers.
   */
  readonly out: T;
  readonly lse: T;
  readonly outGradient: T;
  readonly mask?: T | undefined;
}

const named = <T>([q, k, v, out, lse, outGradient, mask]: readonly T[]): Operands<T> => ({
  q: q!,
  k: k!,
  v: v!,
  out: out!,
  lse: lse!,
  outGradient: outGradient!,
  mask,
});

/** Is it Δ that stands in the place of O? */
const isDelta = (out: { readonly shape: Shape }, q: { readonly shape: Shape }): boolean =>
  out.shape.length < q.shape.length;

/**
 * The cotangents of q, k and v from O, its log-sum-exp and its cotangent: the weights are recomputed, so that backward
 * keeps nothing of size T·S either.
 */
export const attentionBackwardOp = defineOp<AttentionAttrs>({
  name: "attentionBackward",
  infer: ([q, k, v]) => [q!, k!, v!],
  // Second derivatives are rare: they need no kernels of their own, but do need scores of size T·S.
  gradient: { byExpansion: true },
  reference: (inputs, attrs, { inputs: types, outputs }) =>
    backwardReference(named(inputs), named(types), attrs, outputs),
  lower: {
    inlines: "all",
    plan({ attrs, inputs, outputs: [dq, dk, dv], values, target, label, scratch }) {
      const { mask, ...operands } = named(inputs);
      const site = { ...operands, mask, causal: attrs.causal, scale: scaleOf(attrs, operands.q) };
      return planBackward(
        values,
        { ...site, dq: dq!, dk: dk!, dv: dv! },
        target,
        label,
        (size) => scratch("f32", size),
      );
    },
  },
  expand(inputs, attrs) {
    const { mask, ...operands } = named(inputs);
    const { dq, dk, dv } = attentionGradientPlain(operands, optionsOf(attrs, mask));
    return [dq, dk, dv];
  },
  ulp: 32,
  // O·dO, or Δ in its place, is taken from V·dO; they are equal where a query sees one key.
  opposed: [3],
  terms: ([q, k, v]) => q!.shape.at(-1)! + v!.shape.at(-1)! + q!.shape.at(-2)! + k!.shape.at(-2)!,
  samples: attentionSamples.map(backwardSample),
});

function backwardReference(
  x: Operands<HostArray>,
  types: Operands<ConcreteType>,
  attrs: AttentionAttrs,
  outputs: readonly ConcreteType[],
): readonly HostArray[] {
  const [dq, dk, dv] = outputs.map(({ dtype, shape }) => hostArray(dtype, count(shape))) as [
    HostArray,
    HostArray,
    HostArray,
  ];
  const [D, E] = [types.q.shape.at(-1)!, types.v.shape.at(-1)!];
  const scale = scaleOf(attrs, types.q);
  forEachRow(
    [x.q, x.k, x.v, x.mask],
    [types.q, types.k, types.v, types.mask],
    attrs,
    ({ query, firstKey, scores }) => {
      let delta = 0;
      if (isDelta(types.out, types.q)) delta = x.out[query]!;
      else for (let f = 0; f < E; f++) delta += x.outGradient[query * E + f]! * x.out[query * E + f]!;
      scores.forEach((s, j) => {
        if (s === -Infinity) return;
        const weight = real.exp(s - x.lse[query]!);
        const key = firstKey + j;
        let slope = -delta;
        for (let f = 0; f < E; f++) {
          slope += x.outGradient[query * E + f]! * x.v[key * E + f]!;
          dv[key * E + f]! += weight * x.outGradient[query * E + f]!;
        }
        slope *= weight * scale;
        for (let e = 0; e < D; e++) {
          dq[query * D + e]! += slope * x.k[key * D + e]!;
          dk[key * D + e]! += slope * x.q[query * D + e]!;
        }
      });
    },
  );
  return [dq, dk, dv];
}

/** What forward gives on a sample, and a cotangent for it; every third with Δ in the place of O. */
function backwardSample(
  sample: Sample<AttentionAttrs>,
  n: number,
): Sample<AttentionAttrs> {
  const dtype = "f32";
  const values = (length: number, phase: number) =>
    Array.from({ length }, (_, i) => Math.fround(1.3 * real.sin(1 + phase + i * (1.7 + phase / 8))));
  const inputs = sample.inputs.map((input, at): SampleInput & { readonly values: readonly number[] } => ({
    ...input,
    values: input.dtype === "bool"
      ? values(count(input.shape), at).map((v) => v > -0.4 ? 1 : 0)
      : values(count(input.shape), at),
  }));
  const [q, k, v, mask] = inputs;
  const types = inputs.map((i) => ({ shape: i.shape, dtype: i.dtype ?? dtype }));
  const outShape = [...q!.shape.slice(0, -1), v!.shape.at(-1)!];
  const lseShape = q!.shape.slice(0, -1);
  const [out, lse] = attentionReference(
    inputs.map((i) => Float64Array.from(i.values)),
    sample.attrs,
    { inputs: types, outputs: [{ shape: outShape, dtype }, { shape: lseShape, dtype }] },
  );
  const of = (shape: readonly number[], array: ArrayLike<number>): SampleInput => ({
    shape,
    values: Array.from(array, Math.fround),
  });
  const result = n % 3 === 1 ? of(lseShape, values(count(lseShape), 6)) : of(outShape, out!);
  const gradient = of(outShape, values(count(outShape), 5));
  return {
    ...sample,
    inputs: [q!, k!, v!, result, of(lseShape, lse!), gradient, ...mask ? [mask] : []],
  };
}

/**
 * The cotangents of q, k and v.
 *
 * @param operands What `attention` took and gave, and ∂/∂O; `out` may be Δ instead of O.
 */
export function attentionBackward(
  { q, k, v, out, lse, outGradient, mask }: Operands<Tensor>,
  { causal, scale }: AttentionAttrs,
): readonly [dq: Tensor, dk: Tensor, dv: Tensor] {
  const inputs = [q, k, v, out, lse, outGradient, ...mask ? [mask] : []];
  const [dq, dk, dv] = applyAll(attentionBackwardOp, inputs, { causal, scale });
  return [dq!, dk!, dv!];
}
