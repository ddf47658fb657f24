/** Element-wise ops on vectors and matrices, and the sum of a long vector. */

import { add, gelu, mul, sigmoid, sum, transpose } from "../../../mod.ts";
import { chainByHand } from "../by_hand/elementwise.ts";
import { sumByHand } from "../by_hand/sum.ts";
import { type Floats, onDevice, resident, type Workload } from "./workload.ts";

const count = 1 << 22;

export function chain(): Workload {
  return { ...chainOf([count]), peer: "chain", byHand: () => chainByHand(count) };
}

const geluOf = (u: number) => 0.5 * u * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (u + 0.044715 * u ** 3)));

/** gelu(ax + b)·sigmoid(x). */
export function chainOf(shape: readonly number[]): Workload {
  const tensors = { x: resident(shape, 5, -3, 3) };
  return {
    bytes: tensors.x.data.length * 8,
    tensors,
    model: onDevice(
      tensors,
      ({ x }) => ({ y: mul(gelu(add(mul(x!, 1.3), 0.1), "tanh"), sigmoid(x!)) as Floats }),
    ),
    elements: {
      y(i) {
        const x = tensors.x.data[i]!;
        return geluOf(x * 1.3 + 0.1) / (1 + Math.exp(-x));
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

/** gelu(x + a row of biases). */
export function biased(rows: number, columns: number): Workload {
  const tensors = { x: resident([rows, columns], 5, -3, 3), b: resident([columns], 6) };
  return {
    bytes: rows * columns * 8,
    tensors,
    model: onDevice(tensors, ({ x, b }) => ({ y: gelu(add(x!, b!), "tanh") as Floats })),
    elements: { y: (i) => geluOf(tensors.x.data[i]! + tensors.b.data[i % columns]!) },
  };
}

/** a + bᵀ. */
export function plusTransposed(rows: number, columns: number): Workload {
  const tensors = { a: resident([rows, columns], 5), b: resident([columns, rows], 6) };
  return {
    bytes: rows * columns * 12,
    tensors,
    model: onDevice(tensors, ({ a, b }) => ({ y: add(a!, transpose(b!)) as Floats })),
    elements: {
      y: (i) => tensors.a.data[i]! + tensors.b.data[i % columns * rows + Math.floor(i / columns)]!,
    },
  };
}
