/**
 * What is measured side by side: each workload as a model for Weft, as kernels by hand where there are any, under the
 * name that the peers' runners know it by, and with the numbers that come out.
 * @module
 */

import {
  adam,
  adamW,
  add,
  gelu,
  gradient,
  layerNorm,
  matmul,
  type Model,
  model,
  mul,
  sigmoid,
  softmax,
  state,
  sum,
  type Tensor,
  trainStep,
  transpose,
} from "../../mod.ts";
import { gpt } from "../../examples/gpt.ts";
import { mlp } from "../../examples/mnist_mlp.ts";
import { chainByHand } from "./by_hand/elementwise.ts";
import type { HandWritten } from "./by_hand/kernel.ts";
import { layerNormByHand } from "./by_hand/layer_norm.ts";
import { matmulByHand } from "./by_hand/matmul.ts";
import { softmaxBackwardByHand, softmaxByHand } from "./by_hand/softmax.ts";
import { sumByHand } from "./by_hand/sum.ts";
import { numbers } from "./numbers.ts";

/** A tensor that lies on the device before anything is measured. */
export interface Resident {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

export interface Workload {
  readonly name: string;
  /** What the peers' runners call it. */
  readonly peer?: string;
  /** Floating-point operations of one run. */
  readonly flop?: number;
  /** Bytes that one run has to read and write. */
  readonly bytes?: number;
  readonly tensors: Readonly<Record<string, Resident>>;
  /** The output to be compared is `y`; a training step has none. */
  model(): Model;
  readonly sizes?: Readonly<Record<string, number>>;
  readonly feeds?: Readonly<Record<string, Float32Array | Int32Array>>;
  readonly byHand?: () => HandWritten;
  /** Some element of `y`, in f64. */
  element?(i: number): number;
}

type Floats = Tensor<readonly number[], "f32">;

const resident = (shape: readonly number[], seed: number, lo?: number, hi?: number): Resident => ({
  shape,
  data: numbers(shape.reduce((n, d) => n * d, 1), seed, lo, hi),
});

/** A model whose inputs lie on the device, as those of the peers do. */
function onDevice(
  tensors: Readonly<Record<string, Resident>>,
  f: (t: Readonly<Record<string, Floats>>) => Floats,
): () => Model {
  return () =>
    model({}, () => {
      const states = Object.entries(tensors).map(([name, { shape, data }]) =>
        [name, state(name, shape, () => data) as Floats] as const
      );
      return { y: f(Object.fromEntries(states)) };
    });
}

interface MatmulOptions {
  readonly batch?: number;
  readonly transposedA?: boolean;
  readonly transposedB?: boolean;
  readonly seeds?: readonly [number, number];
  readonly peer?: string;
  /** Rows that share a panel, by hand. */
  readonly rows?: number;
}

function product(
  name: string,
  [m, k, n]: readonly [number, number, number],
  { batch, transposedA = false, transposedB = false, seeds = [1, 2], peer, rows }: MatmulOptions = {},
): Workload {
  const stack = batch === undefined ? [] : [batch];
  const tensors = {
    a: resident([...stack, ...transposedA ? [k, m] : [m, k]], seeds[0]),
    b: resident([...stack, ...transposedB ? [n, k] : [k, n]], seeds[1]),
  };
  const times = (a: Floats, b: Floats) => (matmul as unknown as (a: Floats, b: Floats) => Floats)(a, b);
  return {
    name,
    ...peer !== undefined && { peer },
    flop: 2 * (batch ?? 1) * m * k * n,
    tensors,
    model: onDevice(tensors, ({ a, b }) =>
      times(
        transposedA ? transpose(a!) as Floats : a!,
        transposedB ? transpose(b!) as Floats : b!,
      )),
    ...rows !== undefined && {
      byHand: () =>
        matmulByHand({ m, k, n, rows, transposedA, transposedB, ...batch !== undefined && { batch } }),
    },
    element(i) {
      const [column, row, matrix] = [i % n, Math.floor(i / n) % m, Math.floor(i / n / m)];
      const [a0, b0] = [matrix * m * k, matrix * k * n];
      let total = 0;
      for (let step = 0; step < k; step++) {
        const a = tensors.a.data[a0 + (transposedA ? step * m + row : row * k + step)]!;
        total += a * tensors.b.data[b0 + (transposedB ? column * k + step : step * n + column)]!;
      }
      return total;
    },
  };
}

const count = 1 << 22;
const rows = 4096;

function chain(): Workload {
  const tensors = { x: resident([count], 5, -3, 3) };
  return {
    name: "gelu(ax + b)·sigmoid(x), 2^22",
    peer: "chain",
    bytes: count * 8,
    tensors,
    model: onDevice(tensors, ({ x }) => mul(gelu(add(mul(x!, 1.3), 0.1), "tanh"), sigmoid(x!)) as Floats),
    byHand: () => chainByHand(count),
    element(i) {
      const x = tensors.x.data[i]!;
      const u = x * 1.3 + 0.1;
      return 0.5 * u * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (u + 0.044715 * u ** 3))) / (1 + Math.exp(-x));
    },
  };
}

function total(): Workload {
  const tensors = { x: resident([count], 11, 0, 1) };
  return {
    name: "sum 2^22",
    peer: "sum",
    bytes: count * 4,
    tensors,
    model: onDevice(tensors, ({ x }) => sum(x!) as Floats),
    byHand: () => sumByHand(count),
    element: () => tensors.x.data.reduce((a, b) => a + b, 0),
  };
}

const columns = 1024;

function rowSoftmax(): Workload {
  const tensors = { x: resident([rows, columns], 6, -4, 4) };
  return {
    name: "softmax 4096×1024",
    peer: "softmax",
    bytes: rows * columns * 8,
    tensors,
    model: onDevice(tensors, ({ x }) => softmax(x!)),
    byHand: () => softmaxByHand(rows, columns),
    element(i) {
      const row = tensors.x.data.subarray(i - i % columns, i - i % columns + columns);
      const most = Math.max(...row);
      return Math.exp(tensors.x.data[i]! - most) / row.reduce((s, x) => s + Math.exp(x - most), 0);
    },
  };
}

function softmaxBackward(): Workload {
  const tensors = { s: resident([rows, columns], 6, 0, 2 / columns), g: resident([rows, columns], 7) };
  return {
    name: "softmax backward 4096×1024",
    bytes: rows * columns * 12,
    tensors,
    model: onDevice(tensors, ({ s, g }) => {
      const dot = sum(mul(s!, g!) as Floats, -1, { keepDims: true }) as Floats;
      return mul(s!, add(g!, mul(dot, -1)) as Floats) as Floats;
    }),
    byHand: () => softmaxBackwardByHand(rows, columns),
    element(i) {
      const [s, g] = [tensors.s.data, tensors.g.data];
      let dot = 0;
      for (let j = i - i % columns; j < i - i % columns + columns; j++) dot += s[j]! * g[j]!;
      return s[i]! * (g[i]! - dot);
    },
  };
}

const features = 768;

function rowNorm(): Workload {
  const tensors = {
    x: resident([rows, features], 8, -2, 2),
    g: resident([features], 9, 0.5, 1.5),
    b: resident([features], 10),
  };
  return {
    name: "layer norm 4096×768",
    peer: "layernorm",
    bytes: rows * features * 8,
    tensors,
    model: onDevice(tensors, ({ x, g, b }) => layerNorm(x!, { scale: g!, shift: b! }) as Floats),
    byHand: () => layerNormByHand(rows, features),
    element(i) {
      const row = tensors.x.data.subarray(i - i % features, i - i % features + features);
      const mean = row.reduce((s, x) => s + x, 0) / features;
      const variance = row.reduce((s, x) => s + (x - mean) ** 2, 0) / features;
      const j = i % features;
      return (row[j]! - mean) / Math.sqrt(variance + 1e-5) * tensors.g.data[j]! + tensors.b.data[j]!;
    },
  };
}

/** All three gradients of a layer norm, from its input and a cotangent; `y` is that of the input. */
function normBackward(): Workload {
  const tensors = {
    x: resident([rows, features], 8, -2, 2),
    g: resident([features], 9, 0.5, 1.5),
    b: resident([features], 10),
    dy: resident([rows, features], 12),
  };
  return {
    name: "layer norm backward 4096×768",
    bytes: rows * features * 12,
    tensors,
    model: () =>
      model({}, () => {
        const [x, g, b, dy] = Object.entries(tensors).map(([name, { shape, data }]) =>
          state(name, shape, () => data) as Floats
        );
        const y = layerNorm(x!, { scale: g!, shift: b! });
        const [dx, dg, db] = gradient(y, [x!, g!, b!], dy!);
        return { y: dx!, dg: dg!, db: db! };
      }),
  };
}

const tokens = Int32Array.from({ length: 512 }, (_, i) => {
  const [b, t] = [Math.floor(i / 64), i % 64];
  return (t * 7 + t * t % 13 + b * 11) % 96;
});

export const workloads: readonly Workload[] = [
  product("matmul 256", [256, 256, 256], { peer: "matmul256", rows: 64 }),
  product("matmul 512", [512, 512, 512], { peer: "matmul512", rows: 256 }),
  product("matmul 1024", [1024, 1024, 1024], { peer: "matmul1024", rows: 512 }),
  product("A·Bᵀ 512", [512, 512, 512], { transposedB: true, rows: 256 }),
  product("Aᵀ·B 512", [512, 512, 512], { transposedA: true, rows: 128 }),
  product("batched 16×128×64×128", [128, 64, 128], { batch: 16, seeds: [3, 4], peer: "bmm", rows: 128 }),
  chain(),
  total(),
  rowSoftmax(),
  softmaxBackward(),
  rowNorm(),
  normBackward(),
  {
    name: "MLP step 784-512-256-10, Adam, batch 128",
    peer: "mlp_train",
    tensors: {},
    model: () => trainStep(mlp.only("loss"), adam({ rate: 1e-3 })),
    sizes: { batch: 128 },
    feeds: {
      x: numbers(128 * 784, 7, 0, 1),
      y: Int32Array.from({ length: 128 }, (_, i) => (i * 7 + 3) % 10),
    },
  },
  {
    name: "GPT step 4 layers, 128 wide, 64 × 8 tokens, AdamW",
    peer: "gpt_train",
    tensors: {},
    model: () =>
      trainStep(
        gpt({ layers: 4, heads: 4, width: 128, context: 64, symbols: 96 }).only("loss"),
        adamW({ rate: 1e-3 }),
      ),
    sizes: { batch: 8 },
    feeds: { tokens, targets: tokens },
  },
];
