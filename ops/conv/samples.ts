/** Shapes on which the statements about `conv` are compared: every attribute alone, and together. */

import type { Sample } from "../../compiler/graph/op.ts";
import type { Conv } from "./conv.ts";

const unit = { lo: -1, hi: 1 };

function sample(x: number[], w: number[], change: Partial<Conv> = {}, note = ""): Sample<Conv> {
  const each = (value: number) => new Array<number>(x.length - 2).fill(value);
  const plain: Conv = {
    strides: each(1),
    low: each(0),
    high: each(0),
    dilations: each(1),
    inputDilations: each(1),
    groups: 1,
  };
  return { inputs: [{ shape: x, ...unit }, { shape: w, ...unit }], attrs: { ...plain, ...change }, note };
}

export const convSamples: readonly Sample<Conv>[] = [
  sample([2, 3, 7], [4, 3, 3], {}, "one axis"),
  sample([1, 2, 6, 5], [3, 2, 3, 2], { low: [1, 0], high: [1, 1] }, "padding"),
  sample([2, 2, 7, 6], [2, 2, 3, 3], { strides: [2, 2], low: [1, 1], high: [1, 1] }, "stride"),
  sample([1, 1, 9], [2, 1, 3], { dilations: [2], low: [2], high: [1] }, "dilation"),
  sample([1, 2, 4], [2, 2, 3], { inputDilations: [3], low: [1], high: [2] }, "inputDilation"),
  sample([2, 4, 5], [6, 2, 2], { groups: 2 }, "groups"),
  sample([1, 3, 4, 4], [3, 1, 3, 3], { groups: 3, low: [1, 1], high: [1, 1] }, "depthwise"),
  sample([2, 3, 1, 1], [5, 3, 1, 1], {}, "one point"),
  sample([1, 1, 3, 2, 4], [2, 1, 2, 2, 3], { low: [0, 1, 1], high: [1, 0, 0] }, "three axes"),
  sample([1, 2, 6], [2, 2, 2], { low: [-1], high: [-2] }, "a cut"),
  sample(
    [1, 4, 5],
    [2, 2, 3],
    { strides: [2], dilations: [2], inputDilations: [3], low: [3], high: [2], groups: 2 },
    "everything",
  ),
];
