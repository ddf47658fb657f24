/**
 * What Weft reaches of the device's bandwidth, of its arithmetic, and of its time.
 *
 * Peaks are measured in the same process (`runtime/lab/peaks.ts`). Maps and rows are compared with copies of as many
 * bytes, products with multiply-adds; training steps with the sum of their dispatches, and what is missing is time in
 * which the device has nothing to do.
 * @module
 */

import { gpt } from "../../examples/gpt.ts";
import { adamW, type Device, openDevice, trainStep } from "../../mod.ts";
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

/** Milliseconds of one run. */
async function msOf(workload: Workload, device: Device, rounds: number): Promise<number> {
  using contestant = await weft(workload, device);
  const [ms] = await interleave([contestant], rounds);
  return ms!;
}

/** Measures the device's peaks and what Weft reaches of them, and prints both. */
export async function partsOfPeaks(
  { small, json, rounds }: { readonly small: boolean; readonly json: boolean; readonly rounds: number },
): Promise<void> {
  using device = await openDevice({ device: "webgpu" });
  const peaks = await measurePeaks(device);
  const rows: { readonly what: string; readonly ms: number; readonly rate: string; readonly part: number }[] =
    [];
  for (const name of moved) {
    const workload = workloads[name]!();
    const ms = await msOf(workload, device, rounds);
    const rate = workload.bytes! / ms / 1e6;
    const part = rate / bandwidthAt(workload.bytes!, peaks);
    rows.push({ what: name, ms, rate: `${rate.toFixed(1)} GB/s`, part });
  }
  const n = small ? 1024 : 4096;
  const square = product([n, n, n]);
  const squareMs = await msOf(square, device, rounds);
  const gflops = square.flop! / squareMs / 1e6;
  const squareRow = { what: `matmul ${n}`, ms: squareMs, rate: `${gflops.toFixed(0)} GFLOP/s` };
  rows.push({ ...squareRow, part: gflops / peaks.gflops });

  const pieces = small ? 4 : 64;
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

  if (json) {
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
}
