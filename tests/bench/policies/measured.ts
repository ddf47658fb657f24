/**
 * Whether the model's order is the device's: the five partitions of a graph that the model likes best, timed in turns on
 * this machine's adapter.
 * @module
 */

import { compileGraph } from "../../../compiler/compile.ts";
import { Candidates } from "../../../compiler/fuse/candidates.ts";
import { bestPartitions } from "../../../compiler/fuse/policies/exhaustive.ts";
import type { FusionPolicy } from "../../../compiler/fuse/policy.ts";
import type { DType, StoredArray } from "../../../compiler/graph/dtype.ts";
import type { Program } from "../../../compiler/program/program.ts";
import { type Device, type Executable, load } from "../../../mod.ts";
import { kendall, regretOf } from "../../../runtime/lab/kendall.ts";
import { median } from "../../../runtime/tune/race.ts";
import { randomOf } from "../../support/random.ts";
import { drawGraphs } from "./graphs.ts";

/** One partition: what the model expects and what was measured, in milliseconds, the waiting for it shared out. */
export interface Timed {
  readonly kernels: number;
  readonly expected: number;
  readonly measured: number;
}

export interface Order {
  /** The partitions of one graph, the model's favorite first. */
  readonly partitions: readonly Timed[];
  /** Kendall's τ over the pairs that the model tells apart by 2 %; undefined where there is none. */
  readonly tau: number | undefined;
  /** How many times as long as the fastest the model's favorite takes. */
  readonly regret: number;
}

/** Milliseconds between two waits, each of which costs 11. */
const batch = 100;
const rounds = 7;
/** Of expected times that are closer than this the model says nothing. */
const apart = 1.02;

const ranked = (rank: number): FusionPolicy => ({
  name: `partition ${rank}`,
  cover(graph, options) {
    const candidates = new Candidates(graph, options);
    const all = bestPartitions(candidates, rank + 1);
    return candidates.cover(all[Math.min(rank, all.length - 1)]!.parts);
  },
});

export async function* measureOrders(
  device: Device,
  { count, seed, scale, best }: {
    readonly count: number;
    readonly seed: number;
    readonly scale: number;
    readonly best: number;
  },
): AsyncIterable<Order> {
  const { target } = device;
  let left = count;
  for (const { graph, candidates } of drawGraphs({ count: 6 * count, seed, scale, target })) {
    if (left === 0) return;
    const partitions = bestPartitions(candidates, best);
    // A graph whose choices the model takes for equal says nothing about its order.
    if (partitions.length < best || partitions.at(-1)!.ms < apart * partitions[0]!.ms) continue;
    left--;
    const compiled = partitions.map((_, rank) => compileGraph(graph, { target, policy: ranked(rank) }));
    const times = await timesOf(device, compiled.map(({ program }) => program));
    yield orderOf(partitions.map(({ ms }, i) => {
      return { kernels: compiled[i]!.kernels.length, expected: ms, measured: times[i]! };
    }));
  }
}

/** Milliseconds of programs without inputs, run in turns. */
export async function timesOf(device: Device, programs: readonly Program[]): Promise<readonly number[]> {
  using made = new DisposableStack();
  const timed = async (run: Executable, runs: number): Promise<number> => {
    const start = performance.now();
    for (let n = 0; n < runs; n++) run.run({});
    await run.idle();
    return performance.now() - start;
  };
  const all: { readonly run: Executable; readonly times: number[] }[] = [];
  let fastest = Infinity;
  for (const program of programs) {
    const run = made.use(await load(program, device, { state: contents }));
    await timed(run, 2); // the driver compiles
    fastest = Math.min(fastest, await timed(run, 8) / 8);
    all.push({ run, times: [] });
  }
  // The same number for all, so that each has the same share of waiting.
  const runs = Math.max(4, Math.min(400, Math.ceil(batch / fastest)));
  for (let round = 0; round < rounds; round++) {
    for (const { run, times } of all) times.push(await timed(run, runs) / runs);
  }
  // Machines drift: each round is compared with the first program's in the same round.
  const first = all[0]!.times;
  return all.map(({ times }) => median(times.map((ms, round) => ms / first[round]!)) * median(first));
}

/** Small positive numbers, so that nothing becomes NaN, and indices that every table has. */
function contents(_path: string, shape: readonly number[], dtype: DType): StoredArray {
  const size = shape.reduce((n, d) => n * d, 1);
  const random = randomOf(size);
  if (dtype === "i32" || dtype === "u32") return new Int32Array(size).map((_, i) => i % 4);
  return Float32Array.from({ length: size }, () => 0.01 + 0.1 * random());
}

function orderOf(partitions: readonly Timed[]): Order {
  const points = partitions.map(({ expected, measured }) => ({ predicted: expected, measured }));
  return { partitions, tau: kendall(points, { told: apart }).tau, regret: regretOf(points) };
}
