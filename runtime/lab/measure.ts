/**
 * Plans timed in turns on one device. Machines drift by more than plans differ, so only ratios within a round count: each
 * round runs every plan once for about as long as any other, forwards and backwards in turn.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { RunError } from "../../compiler/errors.ts";
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
  /** Rounds at most. Default: as many as there is time for where `seconds` are given, else 15. */
  readonly rounds?: number;
  /** What all of it may take, in seconds; six rounds are made in any case, for an interval needs them. Default 60. */
  readonly seconds?: number;
  /** Bytes of plans that are loaded at once. Default 2 GiB. */
  readonly memory?: number;
  /** Ends it early: rounds that are complete count. */
  readonly signal?: AbortSignal;
  /** Hears of each plan that is loaded and of each round. */
  readonly onProgress?: (progress: MeasureProgress) => void;
}

/** Rounds that are done, and what is done now. */
export interface MeasureProgress {
  readonly round: number;
  /** Undefined where the time alone ends them. */
  readonly of: number | undefined;
  readonly label: string;
  readonly elapsed: number;
}

/** Why a plan was not timed. */
export interface Untimed {
  readonly because: string;
}

/** Milliseconds of a turn: long beside the wait that ends it, which takes 11 on a WebGPU device and none on the CPU. */
const turnMs = { webgpu: 220, cpu: 25 } as const;
/** Of fewer numbers no interval holds the median in 95 of 100 cases (`interval.ts`). */
const leastRounds = 6;
/** Part of the time that loading may take; the driver compiles every shader at its first run. */
const loading = 0.6;
/** A run that takes so many times the base's, and so many milliseconds, is not repeated. */
const slowest = { times: 20, ms: 1000 } as const;

/** A plan to time, and what it takes in memory. */
export interface TimedPlan {
  readonly name: string;
  readonly compiled: Compiled;
  readonly bytes: number;
}

/**
 * @param base What the others are compared with. It is loaded beside each of them, so that ratios mean the same though
 * not all plans fit into memory at once.
 * @returns One timing for the base and one for each of the others, in order, or why there is none.
 */
export async function measurePlans(
  base: TimedPlan,
  others: readonly TimedPlan[],
  device: Device,
  options: MeasureOptions = {},
): Promise<readonly (Timing | Untimed)[]> {
  const { seconds = 60, memory = 2 * 2 ** 30, signal, onProgress } = options;
  const { rounds = options.seconds === undefined ? 15 : Infinity } = options;
  const batches = batchesOf(base, others, memory);
  const found = new Map<TimedPlan, Timing | Untimed>();
  const begin = performance.now();
  const elapsed = () => (performance.now() - begin) / 1000 / seconds;
  const most = Number.isFinite(rounds) ? batches.length * rounds : undefined;
  let left = others.length;
  let done = 0;
  for (const [i, batch] of batches.entries()) {
    if (signal?.aborted || (i > 0 && elapsed() >= 1)) break;
    const start = elapsed();
    // Of what is left of the time, the part that the batch has of the plans.
    const share = Math.max(0, 1 - start) * (left === 0 ? 1 : batch.length / left);
    left -= batch.length;
    const results = await timeBatch([base, ...batch], device, {
      rounds,
      mayLoad: () => signal?.aborted !== true && elapsed() < start + loading * share,
      isOver: (round) => signal?.aborted === true || (round >= leastRounds && elapsed() > start + share),
      heard: (round, label) => onProgress?.({ round: done + round, of: most, label, elapsed: elapsed() }),
    });
    done += Number.isFinite(rounds)
      ? rounds
      : Math.max(0, ...results.map((r) => "because" in r ? 0 : r.length));
    const own = results[0]!;
    if ("because" in own || own.length === 0) break;
    [base, ...batch].forEach((plan, k) => {
      const times = results[k]!;
      if (!found.has(plan)) found.set(plan, "because" in times ? times : timingOf(times, own));
    });
  }
  return [base, ...others].map((plan) => found.get(plan) ?? { because: "there was no time for it" });
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

/** Times of each plan, round by round, or why there are none. */
async function timeBatch(
  plans: readonly TimedPlan[],
  device: Device,
  { rounds, mayLoad, isOver, heard }: {
    readonly rounds: number;
    readonly mayLoad: () => boolean;
    readonly isOver: (round: number) => boolean;
    readonly heard: (round: number, label: string) => void;
  },
): Promise<readonly (readonly number[] | Untimed)[]> {
  using loaded = new DisposableStack();
  const ready: { readonly plan: ResidentPlan; readonly runs: number; readonly times: number[] }[] = [];
  const results: (number[] | Untimed)[] = [];
  let base = Infinity;
  for (const [i, { name, compiled }] of plans.entries()) {
    if (i > 0 && !mayLoad()) {
      results.push({ because: "there was no time to load it" });
      continue;
    }
    heard(0, `loading ${name}`);
    try {
      const plan = loaded.use(await ResidentPlan.open(compiled, device));
      await plan.time(1); // the driver compiles
      const once = await plan.time(1);
      if (i === 0) base = once;
      if (once > slowest.ms && once > slowest.times * base) {
        results.push({
          because: `a run takes ${once.toFixed(0)} ms, ${(once / base).toFixed(0)} times the first plan's`,
        });
        continue;
      }
      const rough = Math.min(once, await plan.time(2));
      const times: number[] = [];
      results.push(times);
      ready.push({ plan, runs: Math.max(1, Math.min(1000, Math.round(turnMs[device.kind] / rough))), times });
    } catch (error) {
      if (i === 0 || !(error instanceof RunError)) throw error;
      device.engine.assertUsable();
      results.push({ because: error.what });
    }
  }
  for (let round = 0; round < rounds && !isOver(round); round++) {
    heard(round, `round ${round + 1}${Number.isFinite(rounds) ? ` of ${rounds}` : ""}`);
    const turns = round % 2 === 0 ? ready : ready.toReversed();
    for (const { plan, runs, times } of turns) times.push(await plan.time(runs));
  }
  return results;
}
