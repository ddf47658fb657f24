/**
 * What Weft reaches of the device that it runs on: of its bandwidth, of its arithmetic, and of its time.
 *
 *     deno run -A runtime/setup/main.ts tests/bench/device.ts [--small] [--json] [--rounds N]
 *
 * Peaks are measured in the same process (`runtime/lab/peaks.ts`). Maps and rows are compared with copies of as many
 * bytes, products with multiply-adds; training steps with the sum of their dispatches, and what is missing is time in
 * which the device has nothing to do. --small is for software adapters: a product of 1,024 instead of 4,096, and nanoGPT's
 * step (384 wide, 256 tokens) on 4 pieces instead of 64.
 * @module
 */

import { parseArgs } from "node:util";
import { gpt } from "../../examples/gpt.ts";
import { adamW, openDevice, trainStep } from "../../mod.ts";
import { measurePeaks } from "../../runtime/lab/peaks.ts";
import { profileModel } from "../../runtime/lab/profile_program.ts";
import { bandwidthAt } from "../../runtime/lab/roof.ts";
import { table } from "../../runtime/table.ts";
import { weft } from "./contestants.ts";
import { interleave } from "./interleave.ts";
import { workloads } from "./workloads.ts";
import { product } from "./workloads/products.ts";
import type { Workload } from "./workloads/workload.ts";

const moved = [
  "gelu(ax + b)·sigmoid(x), 2^22",
  "sum 2^22",
  "softmax 4096×1024",
  "softmax backward 4096×1024",
  "layer norm 4096×768",
  "layer norm backward 4096×768",
  "AdamW, 1,000,000 parameters",
] as const;

const { values: flags } = parseArgs({
  options: {
    small: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
  },
});
const rounds = Number(flags.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) {
  throw new Error(`--rounds ${flags.rounds}: write a whole number above 0`);
}

using device = await openDevice({ device: "webgpu" });
const peaks = await measurePeaks(device);

/** Milliseconds of one run. */
async function msOf(workload: Workload): Promise<number> {
  using contestant = await weft(workload, device);
  const [ms] = await interleave([contestant], rounds);
  return ms!;
}

const rows: { readonly what: string; readonly ms: number; readonly rate: string; readonly part: number }[] =
  [];
for (const name of moved) {
  const workload = workloads[name]!();
  const ms = await msOf(workload);
  const rate = workload.bytes! / ms / 1e6;
  const part = rate / bandwidthAt(workload.bytes!, peaks);
  rows.push({ what: name, ms, rate: `${rate.toFixed(1)} GB/s`, part });
}
const n = flags.small ? 1024 : 4096;
const square = product([n, n, n]);
const squareMs = await msOf(square);
const gflops = square.flop! / squareMs / 1e6;
const squareRow = { what: `matmul ${n}`, ms: squareMs, rate: `${gflops.toFixed(0)} GFLOP/s` };
rows.push({ ...squareRow, part: gflops / peaks.gflops });

const pieces = flags.small ? 4 : 64;
const steps = [
  { name: "GPT step, 128 wide, 8 × 64 tokens", width: 128, heads: 4, layers: 4, context: 64, batch: 8 },
  {
    name: `GPT step, 384 wide, ${pieces} × 256 tokens`,
    width: 384,
    heads: 6,
    layers: 6,
    context: 256,
    batch: pieces,
  },
];
const trained = [];
for (const { name, batch, ...shape } of steps) {
  const net = gpt({ ...shape, symbols: 96 }).only("loss");
  const step = trainStep(net, adamW({ rate: 1e-3 }));
  const { totals } = await profileModel(step, { device, sizes: { batch }, rounds, peaks });
  const { runMs, ms, dispatches } = totals;
  trained.push({ name, runMs, dispatchesMs: ms, dispatches, idle: Math.max(0, 1 - ms / runMs) });
}

if (flags.json) {
  console.log(JSON.stringify({ device: device.name, deno: Deno.version.deno, peaks, rows, trained }));
} else {
  const best = peaks.bandwidth.at(-1)!;
  console.log(
    `${device.name}, Deno ${Deno.version.deno}: copies of ${(best.bytes / 2 ** 20).toFixed(0)} MiB at ${
      best.gbPerS.toFixed(1)
    } GB/s, multiply-adds at ${peaks.gflops.toFixed(0)} GFLOP/s`,
  );
  console.log(
    table([
      ["workload", "ms", "rate", "part of the device's"],
      ...rows.map(({ what, ms, rate, part }) => [what, ms.toFixed(3), rate, part.toFixed(2)]),
    ]).join("\n"),
  );
  console.log(
    table([
      ["training step", "ms", "of its dispatches", "dispatches", "device idle"],
      ...trained.map(({ name, runMs, dispatchesMs, dispatches, idle }) => [
        name,
        runMs.toFixed(2),
        dispatchesMs.toFixed(2),
        String(dispatches),
        `${(100 * idle).toFixed(1)} %`,
      ]),
    ]).join("\n"),
  );
}
