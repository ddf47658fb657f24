/**
 * Plans timed in turns on one device. Machines drift by more than plans differ, so only ratios within a round count: each
 * round runs every plan once for about as long as any other, forwards and backwards in turn.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import type { Device } from "../device.ts";
import { type Interval, intervalOf } from "./interval.ts";
import { ResidentPlan } from "./resident_plan.ts";

/** What a plan took. */
export interface Timing {
  /** Milliseconds of one run, the median of the rounds. */
  readonly ms: number;
  /** Over the first plan's in the same round. */
  readonly ratio: Interval;
  readonly rounds: number;
}

export interface MeasureOptions {
  /** Rounds at most. Default 15. */
  readonly rounds?: number;
  /** What all of it may take, in seconds; three rounds are made in any case. Default 60. */
  readonly seconds?: number;
  /** Bytes of plans that are loaded at once. Default 2 GiB. */
  readonly memory?: number;
  /** Ends it early: rounds that are complete count. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (
    done: { readonly round: number; readonly of: number; readonly elapsed: number },
  ) => void;
}

/** Milliseconds of a turn: long beside the wait that ends it, which takes 11 on a WebGPU device and none on the CPU. */
const turnMs = { webgpu: 220, cpu: 25 } as const;
const leastRounds = 3;

/** A plan to time, and what it takes in memory. */
export interface TimedPlan {
  readonly compiled: Compiled;
  readonly bytes: number;
}

/**
 * @param base What the others are compared with. It is loaded beside each of them, so that ratios mean the same though
 * not all plans fit into memory at once.
 * @returns One timing for the base and one for each of the others, in order; undefined for what there was no time for.
 */
export async function measurePlans(
  base: TimedPlan,
  others: readonly TimedPlan[],
  device: Device,
  { rounds = 15, seconds = 60, memory = 2 * 2 ** 30, signal, onProgress }: MeasureOptions = {},
): Promise<readonly (Timing | undefined)[]> {
  const batches = batchesOf(base, others, memory);
  const found = new Map<TimedPlan, Timing>();
  const begin = performance.now();
  const elapsed = () => (performance.now() - begin) / 1000 / seconds;
  let left = others.length;
  for (const [i, batch] of batches.entries()) {
    if (signal?.aborted || (i > 0 && elapsed() >= 1)) break;
    // Of what is left of the time, the part that the batch has of the plans.
    const until = elapsed() + (1 - elapsed()) * (left === 0 ? 1 : batch.length / left);
    left -= batch.length;
    const times = await timeBatch([base, ...batch], device, {
      rounds,
      isOver: (round) => signal?.aborted === true || (round >= leastRounds && elapsed() > until),
      heard: (round) =>
        onProgress?.({ round: i * rounds + round, of: batches.length * rounds, elapsed: elapsed() }),
    });
    const [own] = times;
    if (own!.length === 0) break;
    [base, ...batch].forEach((plan, k) => {
      if (!found.has(plan)) found.set(plan, timingOf(times[k]!, own!));
    });
  }
  return [base, ...others].map((plan) => found.get(plan));
}

function timingOf(times: readonly number[], base: readonly number[]): Timing {
  return {
    ms: intervalOf(times).median,
    ratio: intervalOf(times.map((ms, round) => ms / base[round]!)),
    rounds: times.length,
  };
}

/** As many plans at once as fit beside the base. */
function batchesOf(base: TimedPlan, others: readonly TimedPlan[], memory: number): TimedPlan[][] {
  const batches: TimedPlan[][] = [[]];
  let used = base.bytes;
  for (const plan of others) {
    if (used + plan.bytes > memory && batches.at(-1)!.length > 0) {
      batches.push([]);
      used = base.bytes;
    }
    batches.at(-1)!.push(plan);
    used += plan.bytes;
  }
  return batches;
}

async function timeBatch(
  plans: readonly TimedPlan[],
  device: Device,
  { rounds, isOver, heard }: {
    readonly rounds: number;
    readonly isOver: (round: number) => boolean;
    readonly heard: (round: number) => void;
  },
): Promise<readonly number[][]> {
  using loaded = new DisposableStack();
  const ready: { readonly plan: ResidentPlan; readonly runs: number; readonly times: number[] }[] = [];
  for (const { compiled } of plans) {
    const plan = loaded.use(await ResidentPlan.open(compiled, device));
    await plan.time(2); // the driver compiles at the first dispatch
    const rough = await plan.time(3);
    ready.push({
      plan,
      runs: Math.max(1, Math.min(1000, Math.round(turnMs[device.kind] / rough))),
      times: [],
    });
  }
  for (let round = 0; round < rounds && !isOver(round); round++) {
    heard(round);
    const turns = round % 2 === 0 ? ready : ready.toReversed();
    for (const { plan, runs, times } of turns) times.push(await plan.time(runs));
  }
  return ready.map(({ times }) => times);
}
