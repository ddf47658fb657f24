/**
 * Row kernels of many kinds, and how fast they run.
 * @module
 */

import * as numerics from "../../../compiler/kernel/numerics.ts";
import type { Value } from "../../../compiler/kernel/value.ts";
import { softwareTarget } from "../../../compiler/target.ts";
import { RowGroup } from "../../unit/schedule/row_support.ts";
import { named } from "../command.ts";
import { interleave } from "../interleave.ts";
import { DeviceMemory, openPlainDevice } from "./device_memory.ts";
import { ScheduledRuns } from "./scheduled_runs.ts";

interface Case {
  readonly name: string;
  /** Read and written once each, in an ideal world. */
  readonly bytes: number;
  readonly make: () => RowGroup;
}

/** `numerics` is what the op `exp` lowers to; `builtin` is what hand-written kernels have. */
function softmax(
  rows: number,
  length: number,
  { logSumExp = false, exponential = "numerics" as "numerics" | "builtin" } = {},
): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const e = (v: Value) => exponential === "numerics" ? numerics.exp(k, v) : k.unary("exp", v);
  const x = g.random("x", [rows, length]);
  const max = (i: Value) => k.reduce("maxFast", [length], [i], ([j]) => x.at([i, j!]));
  const exp = (i: Value, j: Value) => e(k.sub(x.at([i, j]), max(i)));
  const sum = (i: Value) => k.reduce("sum", [length], [i], ([j]) => exp(i, j!));
  g.output("y", [rows, length], ([i, j]) => k.div(exp(i!, j!), sum(i!)));
  if (logSumExp) g.output("lse", [rows], ([i]) => k.add(k.unary("log", sum(i!)), max(i!)));
  return g;
}

function softmaxBackward(rows: number, length: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const [y, dy] = [g.random("y", [rows, length]), g.random("dy", [rows, length])];
  const dot = (i: Value) => k.reduce("sum", [length], [i], ([j]) => k.mul(y.at([i, j!]), dy.at([i, j!])));
  g.output("dx", [rows, length], ([i, j]) => k.mul(y.at([i!, j!]), k.sub(dy.at([i!, j!]), dot(i!))));
  return g;
}

function layerNorm(rows: number, length: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [rows, length]);
  const [gamma, beta] = [g.random("gamma", [length]), g.random("beta", [length])];
  const sum = (i: Value, body: (j: Value) => Value) => k.reduce("sum", [length], [i], ([j]) => body(j!));
  const mean = (i: Value) => k.div(sum(i, (j) => x.at([i, j])), length);
  const centered = (i: Value, j: Value) => k.sub(x.at([i, j]), mean(i));
  const variance = (i: Value) => k.div(sum(i, (j) => k.mul(centered(i, j), centered(i, j))), length);
  const deviation = (i: Value) => k.unary("inverseSqrt", k.add(variance(i), 1e-5));
  g.output(
    "y",
    [rows, length],
    ([i, j]) => k.add(k.mul(k.mul(centered(i!, j!), deviation(i!)), gamma.at([j!])), beta.at([j!])),
  );
  return g;
}

/** dx from saved mean and deviation. */
function layerNormBackward(rows: number, length: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const [x, dy] = [g.random("x", [rows, length]), g.random("dy", [rows, length])];
  const gamma = g.random("gamma", [length]);
  const [mean, deviation] = [g.random("mean", [rows]), g.random("deviation", [rows])];
  const normal = (i: Value, j: Value) => k.mul(k.sub(x.at([i, j]), mean.at([i])), deviation.at([i]));
  const scaled = (i: Value, j: Value) => k.mul(dy.at([i, j]), gamma.at([j]));
  const over = (i: Value, body: (j: Value) => Value) =>
    k.div(k.reduce("sum", [length], [i], ([j]) => body(j!)), length);
  g.output("dx", [rows, length], ([i, j]) => {
    const m1 = over(i!, (c) => scaled(i!, c));
    const m2 = over(i!, (c) => k.mul(scaled(i!, c), normal(i!, c)));
    return k.mul(deviation.at([i!]), k.sub(k.sub(scaled(i!, j!), m1), k.mul(normal(i!, j!), m2)));
  });
  return g;
}

/** dγ and dβ of a layer norm. */
function columnSums(rows: number, columns: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const [x, dy] = [g.random("x", [rows, columns]), g.random("dy", [rows, columns])];
  const [mean, deviation] = [g.random("mean", [rows]), g.random("deviation", [rows])];
  const over = (c: Value, body: (r: Value) => Value) => k.reduce("sum", [rows], [c], ([r]) => body(r!));
  g.output("dGamma", [columns], ([c]) =>
    over(c!, (r) => {
      const normal = k.mul(k.sub(x.at([r, c!]), mean.at([r])), deviation.at([r]));
      return k.mul(dy.at([r, c!]), normal);
    }));
  g.output("dBeta", [columns], ([c]) => over(c!, (r) => dy.at([r, c!])));
  return g;
}

function total(length: number): RowGroup {
  const g = new RowGroup();
  const x = g.random("x", [length]);
  g.output("sum", [], () => g.k.reduce("sum", [length], [], ([j]) => x.at([j!])));
  return g;
}

function crossEntropy(rows: number, length: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [rows, length]);
  const label = g.input("label", [rows], Int32Array.from({ length: rows }, (_, i) => (i * 7919) % length));
  const max = (i: Value) => k.reduce("maxFast", [length], [i], ([j]) => x.at([i, j!]));
  const exp = (i: Value, j: Value) => numerics.exp(k, k.sub(x.at([i, j]), max(i)));
  const sum = (i: Value) => k.reduce("sum", [length], [i], ([j]) => exp(i, j!));
  const picked = (i: Value) =>
    k.reduce("sum", [length], [i], ([j]) => k.select(k.eq(j!, label.at([i])), x.at([i, j!]), 0));
  g.output("loss", [rows], ([i]) => k.sub(k.add(k.unary("log", sum(i!)), max(i!)), picked(i!)));
  g.output("dx", [rows, length], ([i, j]) => {
    const one = k.select(k.eq(j!, label.at([i!])), k.const(1), 0);
    return k.div(k.sub(k.div(exp(i!, j!), sum(i!)), one), rows);
  });
  return g;
}

const MB = 4e-6;
const cases: readonly Case[] = [
  { name: "softmax 4096×1024", bytes: 2 * 4096 * 1024 * MB, make: () => softmax(4096, 1024) },
  {
    name: "softmax 4096×1024 with the target's exp",
    bytes: 2 * 4096 * 1024 * MB,
    make: () => softmax(4096, 1024, { exponential: "builtin" }),
  },
  {
    name: "softmax and lse 4096×1024",
    bytes: 2 * 4096 * 1024 * MB,
    make: () => softmax(4096, 1024, { logSumExp: true }),
  },
  {
    name: "softmax backward 4096×1024",
    bytes: 3 * 4096 * 1024 * MB,
    make: () => softmaxBackward(4096, 1024),
  },
  { name: "layer norm 4096×768", bytes: 2 * 4096 * 768 * MB, make: () => layerNorm(4096, 768) },
  { name: "layer norm dx 4096×768", bytes: 3 * 4096 * 768 * MB, make: () => layerNormBackward(4096, 768) },
  { name: "dγ, dβ 4096×768", bytes: 2 * 4096 * 768 * MB, make: () => columnSums(4096, 768) },
  { name: "sum 2^22", bytes: 2 ** 22 * MB, make: () => total(2 ** 22) },
  { name: "cross-entropy 64×50257", bytes: 2 * 64 * 50257 * MB, make: () => crossEntropy(64, 50257) },
  { name: "softmax 16×65536", bytes: 2 * 16 * 65536 * MB, make: () => softmax(16, 65536) },
  { name: "GPT: loss 512×96", bytes: 2 * 512 * 96 * MB, make: () => crossEntropy(512, 96) },
  { name: "GPT: layer norm 512×128", bytes: 2 * 512 * 128 * MB, make: () => layerNorm(512, 128) },
  { name: "GPT: dγ, dβ 512×128", bytes: 2 * 512 * 128 * MB, make: () => columnSums(512, 128) },
  { name: "MLP: loss 128×10", bytes: 2 * 128 * 10 * MB, make: () => crossEntropy(128, 10) },
  { name: "mean loss 512", bytes: 512 * MB, make: () => total(512) },
];

/** Prints a line for each case whose name contains one of the parts, or for all. */
export async function timeRows(
  parts: readonly string[],
  { rounds, json }: { readonly rounds: number; readonly json: boolean },
): Promise<void> {
  const chosen = named(parts, cases);
  const device = await openPlainDevice();
  for (const { name, bytes, make } of chosen) {
    using memory = new DeviceMemory(device);
    const group = make();
    for (const [name, data] of group.data) memory.put(name, data);
    const kernels = group.schedule(softwareTarget);
    const runs = new ScheduledRuns(memory, kernels, softwareTarget);
    const [ms] = await interleave([runs], rounds);
    if (json) {
      console.log(
        JSON.stringify({ name, ms, bytes: bytes * 1e6, kernels: kernels.length, first: runs.first }),
      );
      continue;
    }
    console.log(
      `${name.padEnd(28)} ${ms!.toFixed(2).padStart(7)} ms  ${(bytes / ms!).toFixed(1).padStart(5)} GB/s  ` +
        `${kernels.length} kernel${kernels.length === 1 ? "" : "s"}  first ${runs.first.toFixed(0)} ms`,
    );
  }
}
