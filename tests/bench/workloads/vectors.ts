/** A chain of element-wise ops, and a sum, of a long vector. */

import { add, gelu, mul, sigmoid, sum } from "../../../mod.ts";
import { chainByHand } from "../by_hand/elementwise.ts";
import { sumByHand } from "../by_hand/sum.ts";
import { type Floats, onDevice, resident, type Workload } from "./workload.ts";

const count = 1 << 22;

export function chain(): Workload {
  const tensors = { x: resident([count], 5, -3, 3) };
  return {
    peer: "chain",
    bytes: count * 8,
    tensors,
    model: onDevice(
      tensors,
      ({ x }) => ({ y: mul(gelu(add(mul(x!, 1.3), 0.1), "tanh"), sigmoid(x!)) as Floats }),
    ),
    byHand: () => chainByHand(count),
    elements: {
      y(i) {
        const x = tensors.x.data[i]!;
        const u = x * 1.3 + 0.1;
        return 0.5 * u * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (u + 0.044715 * u ** 3))) /
          (1 + Math.exp(-x));
      },
    },
  };
}

export function total(): Workload {
  const tensors = { x: resident([count], 11, 0, 1) };
  return {
    peer: "sum",
    bytes: count * 4,
    tensors,
    model: onDevice(tensors, ({ x }) => ({ y: sum(x!) as Floats })),
    byHand: () => sumByHand(count),
    elements: { y: () => tensors.x.data.reduce((a, b) => a + b, 0) },
  };
}
