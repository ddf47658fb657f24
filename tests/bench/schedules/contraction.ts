/**
 * Products and convolutions in many layouts, and how fast their kernels run.
 * @module
 */

import type { Value } from "../../../compiler/kernel/value.ts";
import { softwareTarget } from "../../../compiler/target.ts";
import { Group } from "../../unit/schedule/contraction_support.ts";
import { named } from "../command.ts";
import { interleave } from "../interleave.ts";
import { DeviceMemory, openPlainDevice } from "./device_memory.ts";
import { ScheduledRuns } from "./scheduled_runs.ts";

interface Case {
  readonly name: string;
  readonly flop: number;
  /** GFLOP/s of the best kernel written by hand for just these sizes (lavapipe of Mesa 25, two idle cores). */
  readonly byHand?: number;
  readonly make: () => Group;
}

type Order = readonly number[];
const rowMajor: Order = [0, 1];
const transposed: Order = [1, 0];

/** y[M, N] = a[M, K] · b[K, N] with operands in either order, and what stands before and behind the sum. */
function matmul(
  [M, K, N]: readonly [number, number, number],
  a: Order = rowMajor,
  b: Order = rowMajor,
  before: (g: Group, x: Value) => Value = (_, x) => x,
  behind: (g: Group, y: Value, m: Value, n: Value) => Value = (_, y) => y,
): Group {
  const g = new Group();
  const left = g.input("a", [M, K], a);
  const right = g.input("b", [K, N], b);
  g.output("y", [M, N], ([m, n]) => {
    const sum = g.k.reduce("sum", [K], [m!, n!], ([i]) => {
      return g.k.mul(before(g, left.at([m!, i!])), right.at([i!, n!]));
    });
    return behind(g, sum, m!, n!);
  });
  return g;
}

/** Products of a stack of matrices. */
function batched([B, M, K, N]: readonly [number, number, number, number]): Group {
  const g = new Group();
  const a = g.input("a", [B, M, K]);
  const b = g.input("b", [B, K, N]);
  g.output(
    "y",
    [B, M, N],
    ([x, m, n]) =>
      g.k.reduce("sum", [K], [x!, m!, n!], ([i]) => g.k.mul(a.at([x!, m!, i!]), b.at([x!, i!, n!]))),
  );
  return g;
}

/** A convolution with a border of zeros, so that the image keeps its size. */
function convolution([B, C, O, X, W]: readonly [number, number, number, number, number]): Group {
  const g = new Group();
  const { k } = g;
  const x = g.input("x", [B, C, X, X]);
  const w = g.input("w", [O, C, W, W]);
  const border = (W - 1) / 2;
  g.output("y", [B, O, X, X], ([n, o, i, j]) =>
    k.reduce("sum", [C, W, W], [n!, o!, i!, j!], ([c, u, v]) => {
      const row = k.affine([[i!, 1], [u!, 1]], -border);
      const column = k.affine([[j!, 1], [v!, 1]], -border);
      const inside = [k.le(0, row), k.lt(row, X), k.le(0, column), k.lt(column, X)].reduce((p, q) =>
        k.and(p, q)
      );
      return k.mul(k.guard(inside, x.at([n!, c!, row, column]), 0), w.at([o!, c!, u!, v!]));
    }));
  return g;
}

/** Its gradient by the weights: a long sum over images and pixels. */
function weightGradient([B, C, O, X, W]: readonly [number, number, number, number, number]): Group {
  const g = new Group();
  const { k } = g;
  const x = g.input("x", [B, C, X, X]);
  const dy = g.input("dy", [B, O, X, X]);
  const border = (W - 1) / 2;
  g.output("dw", [O, C, W, W], ([o, c, u, v]) =>
    k.reduce("sum", [B, X, X], [o!, c!, u!, v!], ([n, i, j]) => {
      const row = k.affine([[i!, 1], [u!, 1]], -border);
      const column = k.affine([[j!, 1], [v!, 1]], -border);
      const inside = [k.le(0, row), k.lt(row, X), k.le(0, column), k.lt(column, X)].reduce((p, q) =>
        k.and(p, q)
      );
      return k.mul(dy.at([n!, o!, i!, j!]), k.guard(inside, x.at([n!, c!, row, column]), 0));
    }));
  return g;
}

const square = (n: number): [number, number, number] => [n, n, n];
const silu = ({ k }: Group, x: Value) => k.div(x, k.add(1, k.unary("exp", k.unary("neg", x))));
const biasTanh = (g: Group, y: Value, m: Value, n: Value): Value => {
  const bias = g.input("bias", [512]);
  const residual = g.input("residual", [512, 512]);
  return g.k.add(g.k.unary("tanh", g.k.add(y, bias.at([n]))), residual.at([m, n]));
};

const cases: readonly Case[] = [
  { name: "matmul 256", flop: 2 * 256 ** 3, byHand: 47, make: () => matmul(square(256)) },
  { name: "matmul 512", flop: 2 * 512 ** 3, byHand: 55, make: () => matmul(square(512)) },
  { name: "matmul 1024", flop: 2 * 1024 ** 3, byHand: 58, make: () => matmul(square(1024)) },
  { name: "A·Bᵀ 512", flop: 2 * 512 ** 3, byHand: 51, make: () => matmul(square(512), rowMajor, transposed) },
  { name: "Aᵀ·B 512", flop: 2 * 512 ** 3, byHand: 47, make: () => matmul(square(512), transposed, rowMajor) },
  { name: "Aᵀ·Bᵀ 512", flop: 2 * 512 ** 3, make: () => matmul(square(512), transposed, transposed) },
  {
    name: "tanh(silu(A)·B + b) + C",
    flop: 2 * 512 ** 3,
    make: () => matmul(square(512), rowMajor, rowMajor, silu, biasTanh),
  },
  {
    name: "batched 16×128×64×128",
    flop: 2 * 16 * 128 * 64 * 128,
    byHand: 51,
    make: () => batched([16, 128, 64, 128]),
  },
  { name: "GPT 512×128×512", flop: 2 * 512 * 128 * 512, make: () => matmul([512, 128, 512]) },
  { name: "GPT 512×512×128", flop: 2 * 512 * 512 * 128, make: () => matmul([512, 512, 128]) },
  { name: "GPT dW 128×512×512", flop: 2 * 128 * 512 * 512, make: () => matmul([128, 512, 512], transposed) },
  { name: "GPT logits 512×128×65", flop: 2 * 512 * 128 * 65, make: () => matmul([512, 128, 65]) },
  {
    name: "GPT logits dW 128×512×65",
    flop: 2 * 512 * 128 * 65,
    make: () => matmul([128, 512, 65], transposed),
  },
  {
    name: "GPT logits dX 512×65×128",
    flop: 2 * 512 * 128 * 65,
    make: () => matmul([512, 65, 128], rowMajor, transposed),
  },
  { name: "MLP 128×784×512", flop: 2 * 128 * 784 * 512, make: () => matmul([128, 784, 512]) },
  { name: "MLP dW 784×128×512", flop: 2 * 128 * 784 * 512, make: () => matmul([784, 128, 512], transposed) },
  { name: "MLP 128×256×10", flop: 2 * 128 * 256 * 10, make: () => matmul([128, 256, 10]) },
  { name: "odd 127×1023×65", flop: 2 * 127 * 1023 * 65, make: () => matmul([127, 1023, 65]) },
  {
    name: "conv 8×32×56×56, 64 of 3×3",
    flop: 2 * 8 * 64 * 56 * 56 * 288,
    byHand: 73,
    make: () => convolution([8, 32, 64, 56, 3]),
  },
  {
    name: "conv dW 8×32×56×56, 64 of 3×3",
    flop: 2 * 8 * 64 * 56 * 56 * 288,
    byHand: 38,
    make: () => weightGradient([8, 32, 64, 56, 3]),
  },
];

/** Prints a line for each case whose name contains one of the parts, or for all; results are checked in places. */
export async function timeContractions(
  parts: readonly string[],
  { rounds, json }: { readonly rounds: number; readonly json: boolean },
): Promise<void> {
  const chosen = named(parts, cases);
  const device = await openPlainDevice();
  for (const { name, flop, byHand, make } of chosen) {
    using memory = new DeviceMemory(device);
    const group = make();
    for (const [name, data] of group.data) memory.put(name, data);
    const runs = new ScheduledRuns(memory, group.schedule(softwareTarget), softwareTarget);
    const [ms] = await interleave([runs], rounds);
    for (const { buffer } of group.roots) {
      const data = group.data.get(buffer.name) as Float32Array;
      data.set(await memory.read(buffer.name, data.length));
    }
    group.spotCheck();
    if (json) {
      console.log(JSON.stringify({ name, ms, flop, byHand, first: runs.first }));
      continue;
    }
    console.log(
      `${name.padEnd(28)} ${ms!.toFixed(2)} ms  ${(flop / ms! / 1e6).toFixed(1)} GFLOP/s${
        byHand ? ` (by hand ${byHand})` : ""
      }  first ${runs.first.toFixed(0)} ms`,
    );
  }
}
