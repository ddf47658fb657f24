/** Attention in plain loops over host arrays, one row at a time: the meaning that kernels are compared with. */

import * as real from "../../compiler/graph/real.ts";
import type { HostArray } from "../../compiler/graph/dtype.ts";
import { hostArray } from "../../compiler/graph/dtype.ts";
import type { ConcreteType } from "../../compiler/kernel/value.ts";
import { count, forEachIndex, offsetOf } from "../views/walk.ts";
import { type AttentionAttrs, causalReach, groupOf, scaleOf } from "./attention_types.ts";

/** A query and the keys it meets: what forward and backward go through in the same way. */
export interface Row {
  /** Position of the query among all rows, and of the first key of its head among all keys. */
  readonly query: number;
  readonly firstKey: number;
  /** One score per key; −∞ where the pair is masked. */
  readonly scores: Float64Array;
}

/** Visits every query, in order. */
export function forEachRow(
  inputs: readonly (HostArray | undefined)[],
  types: readonly (ConcreteType | undefined)[],
  attrs: AttentionAttrs,
  visit: (row: Row) => void,
): void {
  const [q, k, , mask] = inputs as readonly HostArray[];
  const [qType, kType, , maskType] = types as readonly ConcreteType[];
  const scale = scaleOf(attrs, qType!);
  const [S, D] = kType!.shape.slice(-2) as [number, number];
  const grouped = groupOf(qType!, kType!);
  const rows = qType!.shape.slice(0, -1);
  forEachIndex(rows, (index, query) => {
    const i = index.at(-1)!;
    const lead = index.slice(0, -1);
    if (lead.length > 0) lead[lead.length - 1] = Math.floor(lead.at(-1)! / grouped);
    const firstKey = offsetOf(lead, kType!.shape.slice(0, -2)) * S;
    const scores = new Float64Array(S);
    for (let j = 0; j < S; j++) {
      let score = 0;
      for (let e = 0; e < D; e++) score += q![query * D + e]! * k![(firstKey + j) * D + e]!;
      score *= scale;
      if (mask) {
        const pair = [...index, j].slice(-maskType!.shape.length || rows.length + 1);
        const m = mask[offsetOf(pair.map((p, a) => maskType!.shape[a] === 1 ? 0 : p), maskType!.shape)]!;
        if (maskType!.dtype !== "bool") score += m;
        else if (m === 0) score = -Infinity;
      }
      scores[j] = attrs.causal && j > i + causalReach(qType!, kType!) ? -Infinity : score;
    }
    visit({ query, firstKey, scores });
  });
}

/** O and lse. */
export function attentionReference(
  inputs: readonly HostArray[],
  attrs: AttentionAttrs,
  types: { readonly inputs: readonly ConcreteType[]; readonly outputs: readonly ConcreteType[] },
): readonly HostArray[] {
  const v = inputs[2]!;
  const size = types.inputs[2]!.shape.at(-1)!;
  const out = hostArray(types.outputs[0]!.dtype, count(types.outputs[0]!.shape));
  const lse = hostArray("f32", count(types.outputs[1]!.shape));
  forEachRow(inputs, types.inputs, attrs, ({ query, firstKey, scores }) => {
    let top = -Infinity;
    for (const s of scores) top = Math.max(top, s);
    let total = 0;
    for (const s of scores) if (s !== -Infinity) total += real.exp(s - top);
    lse[query] = total === 0 ? -Infinity : top + real.log(total);
    scores.forEach((s, j) => {
      if (s === -Infinity) return;
      const weight = real.exp(s - top) / total;
      for (let f = 0; f < size; f++) out[query * size + f]! += weight * v[(firstKey + j) * size + f]!;
    });
  });
  return [out, lse];
}
