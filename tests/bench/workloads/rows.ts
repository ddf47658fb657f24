/** Softmax and layer norm of rows, and their gradients. */

import { add, gradient, layerNorm, mul, softmax, sum } from "../../../mod.ts";
import { layerNormByHand } from "../by_hand/layer_norm.ts";
import { layerNormBackwardByHand } from "../by_hand/layer_norm_backward.ts";
import { softmaxBackwardByHand, softmaxByHand } from "../by_hand/softmax.ts";
import { type Floats, onDevice, resident, type Workload } from "./workload.ts";

const rows = 4096;
const columns = 1024;

export function rowSoftmax(): Workload {
  return { ...softmaxOf(rows, columns), peer: "softmax", byHand: () => softmaxByHand(rows, columns) };
}

export function softmaxOf(rows: number, columns: number): Workload {
  const tensors = { x: resident([rows, columns], 6, -4, 4) };
  const logSumExp = memoized((row) => {
    const values = tensors.x.data.subarray(row * columns, (row + 1) * columns);
    return Math.log(values.reduce((s, x) => s + Math.exp(x), 0));
  });
  return {
    bytes: rows * columns * 8,
    tensors,
    model: onDevice(tensors, ({ x }) => ({ y: softmax(x!) })),
    elements: {
      y: (i) => Math.exp(tensors.x.data[i]! - logSumExp(Math.floor(i / columns))),
    },
  };
}

/** Rows may be long, and few. */
function memoized(f: (row: number) => number): (row: number) => number {
  const known = new Map<number, number>();
  return (row) => {
    if (!known.has(row)) known.set(row, f(row));
    return known.get(row)!;
  };
}

/** Sums along one of two axes. */
export function sumOf(rows: number, columns: number, axis: 0 | 1): Workload {
  const tensors = { x: resident([rows, columns], 11, 0, 1) };
  const [count, step, stride] = axis === 0 ? [rows, columns, 1] : [columns, 1, columns];
  return {
    bytes: rows * columns * 4,
    tensors,
    model: onDevice(tensors, ({ x }) => ({ y: sum(x!, axis) as Floats })),
    elements: {
      y(i) {
        let total = 0;
        for (let j = 0; j < count; j++) total += tensors.x.data[i * stride + j * step]!;
        return total;
      },
    },
  };
}

export function softmaxBackward(): Workload {
  const tensors = { s: resident([rows, columns], 6, 0, 2 / columns), g: resident([rows, columns], 7) };
  return {
    peerProgram: "softmax_backward",
    bytes: rows * columns * 12,
    tensors,
    model: onDevice(tensors, ({ s, g }) => {
      const dot = sum(mul(s!, g!) as Floats, -1, { keepDims: true }) as Floats;
      return { y: mul(s!, add(g!, mul(dot, -1)) as Floats) as Floats };
    }),
    byHand: () => softmaxBackwardByHand(rows, columns),
    elements: {
      y(i) {
        const [s, g] = [tensors.s.data, tensors.g.data];
        let dot = 0;
        for (let j = i - i % columns; j < i - i % columns + columns; j++) dot += s[j]! * g[j]!;
        return s[i]! * (g[i]! - dot);
      },
    },
  };
}

const features = 768;

export function rowNorm(): Workload {
  const tensors = {
    x: resident([rows, features], 8, -2, 2),
    g: resident([features], 9, 0.5, 1.5),
    b: resident([features], 10),
  };
  return {
    peer: "layernorm",
    bytes: rows * features * 8,
    tensors,
    model: onDevice(tensors, ({ x, g, b }) => ({ y: layerNorm(x!, { scale: g!, shift: b! }) as Floats })),
    byHand: () => layerNormByHand(rows, features),
    elements: {
      y(i) {
        const row = tensors.x.data.subarray(i - i % features, i - i % features + features);
        const mean = row.reduce((s, x) => s + x, 0) / features;
        const variance = row.reduce((s, x) => s + (x - mean) ** 2, 0) / features;
        const j = i % features;
        return (row[j]! - mean) / Math.sqrt(variance + 1e-5) * tensors.g.data[j]! + tensors.b.data[j]!;
      },
    },
  };
}

/** All three gradients of a layer norm, from its input and a cotangent; `y` is that of the input. */
export function normBackward(): Workload {
  const tensors = {
    x: resident([rows, features], 8, -2, 2),
    g: resident([features], 9, 0.5, 1.5),
    b: resident([features], 10),
    dy: resident([rows, features], 12),
  };
  const [x, dy] = [tensors.x.data, tensors.dy.data];
  /** Of each row: its mean and the reciprocal of its deviation. */
  const moments = Array.from({ length: rows }, (_, r) => {
    const row = x.subarray(r * features, (r + 1) * features);
    const mean = row.reduce((s, v) => s + v, 0) / features;
    const variance = row.reduce((s, v) => s + (v - mean) ** 2, 0) / features;
    return [mean, 1 / Math.sqrt(variance + 1e-5)] as const;
  });
  const normalized = (i: number) => {
    const [mean, inverse] = moments[Math.floor(i / features)]!;
    return (x[i]! - mean) * inverse;
  };
  const downColumn = (j: number, f: (i: number) => number) => {
    let total = 0;
    for (let i = j; i < rows * features; i += features) total += f(i);
    return total;
  };
  return {
    peerProgram: "layer_norm_backward",
    bytes: rows * features * 12,
    tensors,
    model: onDevice(tensors, ({ x, g, b, dy }) => {
      const [dx, dg, db] = gradient(layerNorm(x!, { scale: g!, shift: b! }), [x!, g!, b!], dy!) as Floats[];
      return { y: dx!, dg: dg!, db: db! };
    }),
    byHand: () => layerNormBackwardByHand(rows, features),
    elements: {
      y(i) {
        const first = i - i % features;
        let [plain, along] = [0, 0];
        for (let j = 0; j < features; j++) {
          const d = dy[first + j]! * tensors.g.data[j]!;
          plain += d;
          along += d * normalized(first + j);
        }
        const d = dy[i]! * tensors.g.data[i % features]!;
        return moments[first / features]![1] * (d - plain / features - normalized(i) * along / features);
      },
      dg: (j) => downColumn(j, (i) => dy[i]! * normalized(i)),
      db: (j) => downColumn(j, (i) => dy[i]!),
    },
  };
}
