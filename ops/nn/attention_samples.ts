/** Shapes on which attention is tested: sizes that divide nothing, and every kind of mask. */

import type { Sample, SampleInput } from "../../compiler/graph/op.ts";
import type { AttentionAttrs } from "./attention_types.ts";

const around0 = { lo: -1.5, hi: 1.5 };
const heads = (shape: readonly number[]): SampleInput => ({ shape, ...around0 });

export const attentionSamples: readonly Sample<AttentionAttrs>[] = [
  {
    inputs: [heads([2, 2, 7, 4]), heads([2, 2, 11, 4]), heads([2, 2, 11, 8])],
    attrs: { causal: false, scale: null },
  },
  {
    inputs: [heads([1, 2, 13, 5]), heads([1, 2, 13, 5]), heads([1, 2, 13, 3])],
    attrs: { causal: true, scale: null },
    note: "head sizes that are no vec4s",
  },
  {
    inputs: [heads([1, 4, 5, 4]), heads([1, 2, 17, 4]), heads([1, 2, 17, 4])],
    attrs: { causal: true, scale: 0.5 },
    note: "grouped heads; more keys than queries, so the first query sees 13",
  },
  {
    inputs: [heads([1, 1, 11, 4]), heads([1, 1, 5, 4]), heads([1, 1, 5, 4])],
    attrs: { causal: true, scale: null },
    note: "more queries than keys: the first 6 rows see nothing",
  },
  {
    inputs: [heads([2, 1, 6, 8]), heads([2, 1, 7, 8]), heads([2, 1, 7, 8]), {
      shape: [2, 1, 6, 7],
      dtype: "bool",
    }],
    attrs: { causal: false, scale: null },
  },
  {
    inputs: [heads([2, 3, 5, 4]), heads([2, 3, 7, 4]), heads([2, 3, 7, 4]), heads([3, 1, 7])],
    attrs: { causal: true, scale: 1 },
    note: "an additive mask that broadcasts",
  },
  {
    inputs: [heads([3, 1, 4]), heads([3, 19, 4]), heads([3, 19, 4])],
    attrs: { causal: false, scale: null },
    note: "one query; no batch axis",
  },
  {
    inputs: [heads([1, 3, 72]), heads([1, 5, 72]), heads([1, 5, 40])],
    attrs: { causal: false, scale: 0.1 },
    note: "a long head",
  },
  { inputs: [heads([4, 4]), heads([4, 4]), heads([4, 4])], attrs: { causal: true, scale: null } },
];
