/**
 * Whether the model's order is the device's: the five partitions of a graph that the model likes best, timed in turns on
 * this machine's adapter.
 * @module
 */

import { type Compiled, compileGraph } from "../../../compiler/compile.ts";
import { Candidates } from "../../../compiler/fuse/candidates.ts";
import { bestPartitions } from "../../../compiler/fuse/policies/exhaustive.ts";
import type { FusionPolicy } from "../../../compiler/fuse/policy.ts";
import type { Device } from "../../../mod.ts";
import { kendall, regretOf } from "../../../runtime/lab/kendall.ts";
import { measurePlans, type TimedPlan, type Timing } from "../../../runtime/lab/measure.ts";
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
    const times = await timesOf(device, compiled);
    yield orderOf(partitions.map(({ ms }, i) => {
      return { kernels: compiled[i]!.kernels.length, expected: ms, measured: times[i]! };
    }));
  }
}

/** Milliseconds of plans without inputs, timed in turns: each one's ratio to the first, times what the first takes. */
export async function timesOf(device: Device, plans: readonly Compiled[]): Promise<readonly number[]> {
  const timed = plans.map((compiled, i): TimedPlan => ({
    name: `plan ${i}`,
    compiled,
    bytes: compiled.program.arenas.reduce((sum, arena) => sum + arena.bytes, 0),
  }));
  const timings = await measurePlans(timed[0]!, timed.slice(1), device, { rounds });
  const found = timings.map((timing, i): Timing => {
    if ("because" in timing) throw new Error(`plan ${i}: ${timing.because}`);
    return timing;
  });
  return found.map(({ ratio }) => ratio.median * found[0]!.ms);
}

function orderOf(partitions: readonly Timed[]): Order {
  const points = partitions.map(({ expected, measured }) => ({ predicted: expected, measured }));
  return { partitions, tau: kendall(points, { told: apart }).tau, regret: regretOf(points) };
}
