/**
 * Families of shapes whose rates ought to be alike: what falls far behind its neighbors has met a cliff.
 * @module
 */

import { anyConvolution } from "./workloads/any_convolution.ts";
import { product } from "./workloads/products.ts";
import { softmaxOf, sumOf } from "./workloads/rows.ts";
import { biased, chainOf, plusTransposed } from "./workloads/vectors.ts";
import type { Workload } from "./workloads/workload.ts";

export interface Family {
  readonly name: string;
  /** What its rates count; what bounds a shape may be the other, where its workload says how much of that it does. */
  readonly unit: "GFLOP/s" | "GB/s";
  readonly shapes: Readonly<Record<string, () => Workload>>;
}

/** Names from what they are made of. */
function named<T>(
  list: readonly T[],
  name: (item: T) => string,
  make: (item: T) => Workload,
): Record<string, () => Workload> {
  return Object.fromEntries(list.map((item) => [name(item), () => make(item)]));
}

type Product = readonly [m: number, k: number, n: number];
type Matrix = readonly [rows: number, columns: number];
const cross = (shape: readonly number[]) => shape.join("×");
const sized = ([m, k, n]: Product): Workload => ({
  ...product([m, k, n]),
  bytes: 4 * (m * k + k * n + m * n),
});
const products = (...list: Product[]) => named(list, cross, sized);
const matrices = (list: readonly Matrix[], make: (rows: number, columns: number) => Workload) =>
  named(list, cross, ([rows, columns]) => make(rows, columns));

/** Rows of these lengths, as many as make about a million elements. */
const rowLengths = [1, 2, 7, 64, 1000, 1023, 1024, 10_007, 50_257, 1_000_000];
const rows = rowLengths.map((length): Matrix => [Math.ceil(2 ** 20 / length), length]);

const image = { batch: 4, channels: 32, filters: 64, height: 56, width: 56, kernel: 3 };
const deep = { batch: 4, channels: 64, filters: 64, height: 56, width: 56, kernel: 3, groups: 64 };

export const families: readonly Family[] = [
  {
    name: "matmul, squares",
    unit: "GFLOP/s",
    shapes: products(...[127, 128, 255, 256, 512, 1000, 1023, 1024].map((n): Product => [n, n, n])),
  },
  {
    name: "matmul, tall and skinny",
    unit: "GFLOP/s",
    shapes: products([8192, 64, 64], [8191, 63, 65], [64, 64, 8192], [8192, 256, 16], [8192, 256, 10], [
      16,
      256,
      8192,
    ]),
  },
  {
    name: "matmul, long and short sums",
    unit: "GFLOP/s",
    shapes: products(
      [64, 16_384, 64],
      [65, 16_001, 63],
      [256, 1024, 256],
      [1024, 64, 1024],
      [1024, 16, 1024],
      [
        1024,
        7,
        1024,
      ],
    ),
  },
  {
    name: "matrix × vector",
    unit: "GB/s",
    shapes: named(
      [[1, 1024, 1024], [1, 1000, 1001], [1024, 1024, 1], [1001, 1000, 1], [1, 16_384, 64], [64, 16_384, 1]],
      cross,
      (shape) => sized(shape as unknown as Product),
    ),
  },
  {
    name: "matmul, small batches",
    unit: "GFLOP/s",
    shapes: products(...[1, 2, 3, 8, 10, 16, 32].map((m): Product => [m, 512, 1024])),
  },
  { name: "softmax of rows", unit: "GB/s", shapes: matrices(rows, softmaxOf) },
  { name: "sums of rows", unit: "GB/s", shapes: matrices(rows, (r, c) => sumOf(r, c, 1)) },
  {
    name: "sums of columns",
    unit: "GB/s",
    shapes: matrices(
      [1, 3, 10, 64, 768, 1000, 50_257].map((c): Matrix => [Math.ceil(2 ** 20 / c), c]),
      (r, c) => sumOf(r, c, 0),
    ),
  },
  {
    name: "convolution",
    unit: "GFLOP/s",
    shapes: named<[string, Parameters<typeof anyConvolution>[0]]>(
      [
        ["3×3", image],
        ["3×3, stride 2", { ...image, stride: 2 }],
        ["3×3, dilation 2", { ...image, dilation: 2 }],
        ["3×3, 2 groups", { ...image, groups: 2 }],
        ["3×3, 33 → 65 channels, 55×57", { ...image, channels: 33, filters: 65, height: 55, width: 57 }],
        ["3×3, 13×13, 256 → 128", { ...image, channels: 256, filters: 128, height: 13, width: 13 }],
        ["3×3, batch 1", { ...image, batch: 1 }],
        ["1×1", { ...image, channels: 128, filters: 128, kernel: 1 }],
        ["1×1, stride 2", { ...image, channels: 128, filters: 256, kernel: 1, stride: 2 }],
        ["5×5", { ...image, kernel: 5 }],
        ["7×7, 3 → 64, stride 2", { ...image, channels: 3, height: 112, width: 112, kernel: 7, stride: 2 }],
      ],
      ([name]) => name,
      ([, shape]) => anyConvolution(shape),
    ),
  },
  {
    name: "depthwise convolution",
    unit: "GB/s",
    shapes: named<[string, Parameters<typeof anyConvolution>[0]]>(
      [
        ["3×3", deep],
        ["3×3, stride 2", { ...deep, stride: 2 }],
        ["3×3, dilation 2", { ...deep, dilation: 2 }],
        ["3×3, 55×57", { ...deep, height: 55, width: 57 }],
        ["3×3, two filters each", { ...deep, filters: 128 }],
      ],
      ([name]) => name,
      ([, shape]) => anyConvolution(shape),
    ),
  },
  {
    name: "map",
    unit: "GB/s",
    shapes: {
      ...named([[2 ** 20], [2 ** 20 - 1], [999_983], [1023, 1025]], cross, chainOf),
      "bias 1024×1024": () => biased(1024, 1024),
      "bias 1023×1025": () => biased(1023, 1025),
      "bias 349525×3": () => biased(349_525, 3),
    },
  },
  {
    name: "a + bᵀ",
    unit: "GB/s",
    shapes: matrices([[1024, 1024], [1000, 1000], [1023, 1025], [65_536, 16], [349_525, 3]], plusTransposed),
  },
];
