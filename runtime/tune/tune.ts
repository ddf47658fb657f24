/**
 * Tuning a program on its device: for each kernel that takes a share of the time, other numbers than the target's, timed,
 * checked, remembered (SCHEDULES §9).
 *
 * What is found is a `Tuning`, plain data, with which the program is then compiled again. Kernels are tuned alone, the most
 * expensive first; equal ones once. Nothing is tuned that is not worth it, and nothing is taken that has not computed what
 * the default computes, here and now: what an earlier process remembered is checked like a new candidate.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { RunError } from "../../compiler/errors.ts";
import { isTunable } from "../../compiler/schedule/candidates.ts";
import { estimatedSteps } from "../../compiler/schedule/cost.ts";
import type { TargetPatch, Tuning } from "../../compiler/schedule/tuning.ts";
import type { Unit } from "../../compiler/schedule/unit.ts";
import type { Device } from "../device.ts";
import { turn } from "../turn.ts";
import { UnitBench } from "./bench.ts";
import { TuningCache } from "./cache.ts";
import { type Reference, referenceOf, refusalOf } from "./check.ts";
import { candidateOf, search } from "./search.ts";

/** Options of `tune` in `compile`. */
export interface TuneOptions {
  /** What all tuning may take, in seconds. Default 30. A kernel that is being compiled is waited for. */
  readonly seconds?: number;
  /** The folder of what is remembered, in place of the system's folder for caches; `false`: nothing is. */
  readonly cache?: string | false;
  /** Ends tuning early: what has been found is kept. */
  readonly signal?: AbortSignal;
  /** Hears what is done. */
  readonly onProgress?: (progress: TuneProgress) => void;
  /** Hears what was put aside and why, as sentences. Default: `console.warn`. */
  readonly warn?: (sentence: string) => void;
}

export interface TuneProgress {
  /** Kernels done, and all that are to be tuned. */
  readonly done: number;
  readonly of: number;
  /** What the next one computes; undefined at the end. */
  readonly label: string | undefined;
  /** Part of the time that has passed, 0 … 1. */
  readonly elapsed: number;
}

/** What became of one kernel. */
export interface TunedUnit {
  readonly label: string;
  readonly key: string;
  /** Dispatches of the program that are this kernel's. */
  readonly count: number;
  /** The numbers that it is compiled with; undefined: the target's own. */
  readonly patch: TargetPatch | undefined;
  readonly defaultMs: number;
  readonly tunedMs: number;
  /** Where the answer comes from. */
  readonly from: "search" | "cache";
  /** Candidates that were computed, and that computed wrongly. */
  readonly tried: number;
  readonly refused: number;
}

export interface TuneReport {
  readonly tuning: Tuning;
  readonly units: readonly TunedUnit[];
  /** Kernels that were left alone, one sentence each; those that take next to no time are not named. */
  readonly untouched: readonly string[];
}

/** Part of the program's estimated time below which a kernel is left alone. */
const NEGLIGIBLE = 0.005;
/** The least time that is worth beginning with a kernel, in milliseconds. */
const SHORTEST = 300;
/** Estimated steps of all lanes up to which JavaScript computes a default too. */
const CHEAP = 2 ** 22;

/**
 * @param compiled A program that was compiled without a tuning, for the device.
 * @throws RunError where the options are none, or the device computes nothing any more.
 */
export async function tuneProgram(
  compiled: Compiled,
  device: Device,
  options: TuneOptions = {},
): Promise<TuneReport> {
  const { seconds = 30, cache: folder, signal, onProgress, warn = (text) => console.warn(text) } = options;
  if (typeof seconds !== "number" || !(seconds > 0)) {
    throw new RunError(`tune: seconds is ${seconds}; it must be a number above 0.`);
  }
  const cache = folder === false ? undefined : TuningCache.of(device, warn, folder);
  const begin = performance.now();
  const elapsed = () => (performance.now() - begin) / 1000 / seconds;
  const jobs = jobsOf(compiled, device);
  const tuning: Record<string, TargetPatch> = {};
  const units: TunedUnit[] = [];
  const untouched: string[] = [];
  let rest = jobs.reduce((sum, { share }) => sum + share, 0);
  let ended = 0;
  for (const [done, { unit, count, share }] of jobs.entries()) {
    if (signal?.aborted) break;
    onProgress?.({ done, of: jobs.length, label: unit.label, elapsed: Math.min(1, elapsed()) });
    await turn(); // a progress bar and Ctrl-C want to be heard
    const left = seconds * 1000 - (performance.now() - begin);
    // Of what is left, the part that the kernel has of the time of those that are left.
    const until = performance.now() + Math.max(SHORTEST, left * share / rest);
    rest -= share;
    const context: Context = {
      compiled,
      device,
      cache,
      warn,
      mayStart: left > 0,
      isOver: () => performance.now() > until || signal?.aborted === true,
    };
    const result = await tuneUnit(unit, context);
    ended = done + 1;
    if (result === undefined) continue;
    if ("because" in result) {
      untouched.push(`${unit.label}: ${result.because}`);
      continue;
    }
    if (result.patch) tuning[unit.key] = result.patch;
    units.push({ label: unit.label, key: unit.key, count, ...result });
  }
  onProgress?.({ done: ended, of: jobs.length, label: undefined, elapsed: Math.min(1, elapsed()) });
  return { tuning, units, untouched };
}

/** A kernel to be tuned. */
interface Job {
  readonly unit: Unit;
  readonly count: number;
  /** Its estimated part of the program's time, all its dispatches together. */
  readonly share: number;
}

/** Equal kernels together, the most expensive first, without those that take next to no time. */
function jobsOf({ units }: Compiled, { target }: Device): readonly Job[] {
  const steps = new Map(units.map((unit) => [unit, estimatedSteps(unit.kernels, target)]));
  const total = [...steps.values()].reduce((sum, n) => sum + n, 0);
  const equal = Map.groupBy(
    units.filter((unit) => isTunable(new Set(unit.kernels.map(({ schedule }) => schedule)))),
    ({ key }) => key,
  );
  return [...equal.values()]
    .map((same): Job => ({
      unit: same[0]!,
      count: same.length,
      share: same.reduce((sum, unit) => sum + steps.get(unit)!, 0) / total,
    }))
    .filter(({ share }) => share >= NEGLIGIBLE)
    .sort((a, b) => b.share - a.share);
}

interface Context {
  readonly compiled: Compiled;
  readonly device: Device;
  readonly cache: TuningCache | undefined;
  readonly warn: (sentence: string) => void;
  /** Whether there is time for a search. */
  readonly mayStart: boolean;
  readonly isOver: () => boolean;
}

type Outcome = Omit<TunedUnit, "label" | "key" | "count">;

/** What is best for a kernel; undefined where there was no time to find out. */
async function tuneUnit(
  unit: Unit,
  { compiled, device, cache, warn, mayStart, isOver }: Context,
): Promise<Outcome | { readonly because: string } | undefined> {
  const { target, engine } = device;
  const remembered = cache?.recall(unit.key);
  if (!remembered && !mayStart) return undefined;
  const mayRest = remembered && (remembered.complete || !mayStart);
  // That the default is best needs no check: it is what the program has anyway.
  if (mayRest && isEmpty(remembered.patch) && candidateOf(unit, {}, target)?.text === remembered.text) {
    const { defaultMs } = remembered;
    return { patch: undefined, defaultMs, tunedMs: defaultMs, from: "cache", tried: 0, refused: 0 };
  }
  const temporary = compiled.program.arenas.findIndex(({ role }) => role === "temporary");
  const homeOf = (name: string) => compiled.regions.get(name)?.arena ?? temporary;
  try {
    using bench = await UnitBench.open(engine, unit.kernels, homeOf);
    const lanes = Math.max(...unit.kernels.map(({ kernel }) => kernel.lanes));
    const cheap = estimatedSteps(unit.kernels, target) * lanes * target.parallel <= CHEAP;
    const reference = await referenceOf(bench, unit.kernels, cheap);
    if ("because" in reference) return reference;
    const hints: TargetPatch[] = [];
    if (remembered) {
      const { patch, defaultMs, bestMs } = remembered;
      const because = await staleness(unit, bench, reference, device, remembered);
      if (because !== undefined) {
        warn(`What was remembered for "${unit.label}" is not used: ${because}.`);
        cache!.forget(unit.key);
        if (!mayStart) return undefined;
      } else if (mayRest) {
        return { patch, defaultMs, tunedMs: bestMs, from: "cache", tried: 1, refused: 0 };
      } else hints.push(patch);
    }
    const found = await search({ unit, bench, reference, target }, isOver, hints);
    const { best: { patch, text }, defaultMs, bestMs, complete, tried, refused } = found;
    for (const { because } of refused) warn(`A candidate for "${unit.label}" is not used: ${because}.`);
    cache?.remember(unit.key, { label: unit.label, patch, text, defaultMs, bestMs, complete });
    return {
      patch: isEmpty(patch) ? undefined : patch,
      defaultMs,
      tunedMs: bestMs,
      from: "search",
      tried,
      refused: refused.length,
    };
  } catch (error) {
    engine.assertUsable();
    if (error instanceof RunError) return { because: error.message.split("\n")[0]! };
    throw error;
  }
}

const isEmpty = (patch: TargetPatch): boolean => Object.keys(patch).length === 0;

/** Why what was remembered can't be used any more; undefined where it computes what it should. */
async function staleness(
  unit: Unit,
  bench: UnitBench,
  reference: Reference,
  { target }: Device,
  { patch, text }: { readonly patch: TargetPatch; readonly text: string },
): Promise<string | undefined> {
  const candidate = candidateOf(unit, patch, target);
  if (!candidate) return "no schedule takes it any more";
  if (candidate.text !== text) return "it led to other kernels then";
  return await refusalOf(bench, candidate.run, reference);
}
