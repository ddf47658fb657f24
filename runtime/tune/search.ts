/**
 * The search for a group's numbers: a few patches that differ in kind, then neighbors, one knob at a time, of the best and
 * of what came near it, until none is left that is worth it or time is up.
 *
 * A candidate is one by the text of its kernels: patches that come to the same kernels are tried once. It is scheduled,
 * verified, computed and compared, and only then timed.
 * @module
 */

import { CompileError, InternalError, RunError, WeftError } from "../../compiler/errors.ts";
import { printKernel } from "../../compiler/kernel/print.ts";
import { isRaw } from "../../compiler/kernel/raw.ts";
import type { Run } from "../../compiler/program/alone.ts";
import { neighbors, startingPatches } from "../../compiler/schedule/candidates.ts";
import { compiledStatements, estimatedSteps } from "../../compiler/schedule/cost.ts";
import { patchTarget, printPatch, type TargetPatch, tuningKey } from "../../compiler/schedule/tuning.ts";
import type { Unit } from "../../compiler/schedule/unit.ts";
import { verifyKernels } from "../../compiler/schedule/verify.ts";
import type { Target } from "../../compiler/target.ts";
import type { UnitBench } from "./bench.ts";
import { type Reference, refusalOf } from "./check.ts";
import { compareTimes, median, race, roundsFor } from "./race.ts";

/** One way to compute a group. */
export interface Candidate {
  readonly patch: TargetPatch;
  readonly run: Run;
  /** Names its kernels by their text: what a cache holds a patch to. */
  readonly text: string;
}

export interface Subject {
  readonly unit: Unit;
  readonly bench: UnitBench;
  readonly reference: Reference;
  readonly target: Target;
}

export interface Found {
  readonly best: Candidate;
  /** Of the default and of the best, in milliseconds. */
  readonly defaultMs: number;
  readonly bestMs: number;
  /** Whether the search ended because nothing near is better, and not because time was up. */
  readonly complete: boolean;
  /** Candidates that were computed, and those of them that computed wrongly. */
  readonly tried: number;
  readonly refused: readonly { readonly patch: TargetPatch; readonly because: string }[];
}

/** Candidates that are computed before they race: a better one soon has neighbors of its own. */
const BATCH = 4;
/** How many times the estimate of the default a candidate may reach: a device must answer within seconds. */
const LARGEST_ESTIMATE = 16;
/** How many times the time of the best a candidate may take whose neighbors are still worth a look. */
const NEAR = 1.25;

/** The kernels of a patch, verified; undefined where no schedule takes the group with it, or it can't be verified. */
export function candidateOf(unit: Unit, patch: TargetPatch, target: Target): Candidate | undefined {
  try {
    const run = unit.schedule(patchTarget(target, patch));
    if (run.length === 0) return undefined;
    verifyKernels(run, target);
    return { patch, run, text: textOf(run) };
  } catch (error) {
    if (error instanceof WeftError || error instanceof InternalError) return undefined;
    throw error;
  }
}

function textOf(run: Run): string {
  return tuningKey(
    run.map(({ kernel, groups }) => `${groups} ${isRaw(kernel) ? kernel.body : printKernel(kernel)}`).join(
      "\n",
    ),
  );
}

/**
 * @param isOver Whether time is up. Something is found whenever it is.
 * @param hints Patches to begin with besides those that differ in kind: what an earlier search came to.
 */
export async function search(
  subject: Subject,
  isOver: () => boolean,
  hints: readonly TargetPatch[] = [],
): Promise<Found> {
  const { unit, bench, reference, target } = subject;
  const names = new Set(unit.kernels.map(({ schedule }) => schedule));
  const first: Candidate = { patch: {}, run: unit.kernels, text: textOf(unit.kernels) };
  const likely = new Likely(subject, first);
  const refused: { patch: TargetPatch; because: string }[] = [];
  const time = (some: readonly Candidate[]) => (contenders: readonly number[], rounds: number) =>
    bench.time(contenders.map((i) => some[i]!.run), rounds, reference.inputs);
  let tried = 0;
  let best = first;
  /** What was measured and has neighbors that were not looked at, by its time over that of the best. */
  let near = new Map<Candidate, number>([[first, 1]]);
  let queue = likely.of([...hints, ...startingPatches(names, target)]);
  let started = false;
  while (!isOver()) {
    if (queue.length === 0) {
      started = true;
      const [next] = [...near].filter(([, ratio]) => ratio <= NEAR).sort(([, a], [, b]) => a - b);
      if (!next) break;
      near.delete(next[0]);
      queue = likely.of(neighbors(next[0].patch, names, target));
      continue;
    }
    const fresh: Candidate[] = [];
    for (const candidate of queue.splice(0, BATCH)) {
      if (isOver()) break;
      tried++;
      likely.tried(candidate);
      const because = await refusal(bench, candidate, reference);
      if (because === undefined) fresh.push(candidate);
      else refused.push({ patch: candidate.patch, because });
    }
    if (fresh.length === 0) continue;
    const contenders = [best, ...fresh];
    const [own, ...ratios] = await race(contenders.length, time(contenders));
    near = new Map([...near].map(([candidate, ratio]) => [candidate, ratio * own!]));
    fresh.forEach((candidate, i) => near.set(candidate, ratios[i]!));
    if (own === 1) continue;
    best = fresh[ratios.indexOf(1)]!;
    // What is near the new best is likelier than what is left of the old one's neighbors.
    if (started) queue = [];
  }
  return { ...await duel(first, best, time([first, best])), complete: !isOver(), tried, refused };
}

/** The best against the default, long enough to tell which is faster. */
async function duel(
  first: Candidate,
  best: Candidate,
  time: (contenders: readonly number[], rounds: number) => Promise<readonly (readonly number[])[]>,
): Promise<Pick<Found, "best" | "defaultMs" | "bestMs">> {
  if (best === first) {
    const [times] = await time([0], 5);
    return { best: first, defaultMs: median(times!), bestMs: median(times!) };
  }
  const [rough] = await time([0], 2);
  const [base, other] = await time([0, 1], roundsFor(400, 2 * Math.min(...rough!), 9));
  const { faster } = compareTimes(base!, other!);
  return { best: faster ? best : first, defaultMs: median(base!), bestMs: median(faster ? other! : base!) };
}

/** Puts candidates in order before anything is measured: by what they should take, compiling included. */
class Likely {
  readonly #subject: Subject;
  readonly #steps: number;
  readonly #statements: number;
  readonly #seen: Set<string>;
  /** By the patch as a text: neighbors of neighbors are often met again. */
  readonly #made = new Map<string, Candidate | undefined>();

  constructor(subject: Subject, first: Candidate) {
    this.#subject = subject;
    this.#steps = estimatedSteps(first.run, subject.target);
    this.#statements = Math.max(subject.target.statements, compiledStatements(first.run));
    this.#seen = new Set([first.text]);
  }

  tried({ text }: Candidate): void {
    this.#seen.add(text);
  }

  /** The candidates of patches whose kernels nobody has tried, the likeliest first. */
  of(patches: readonly TargetPatch[]): Candidate[] {
    const { target } = this.#subject;
    const likely = new Map<string, { candidate: Candidate; cost: number }>();
    for (const patch of patches) {
      const candidate = this.#candidate(patch);
      if (!candidate || this.#seen.has(candidate.text) || likely.has(candidate.text)) continue;
      const statements = compiledStatements(candidate.run);
      const steps = estimatedSteps(candidate.run, target);
      if (statements > this.#statements || steps > LARGEST_ESTIMATE * this.#steps) continue;
      likely.set(candidate.text, { candidate, cost: steps * (1 + statements / target.statements) });
    }
    return [...likely.values()].sort((a, b) => a.cost - b.cost).map(({ candidate }) => candidate);
  }

  #candidate(patch: TargetPatch): Candidate | undefined {
    const key = printPatch(patch);
    if (!this.#made.has(key)) {
      this.#made.set(key, candidateOf(this.#subject.unit, patch, this.#subject.target));
    }
    return this.#made.get(key);
  }
}

/** Why a candidate is none: it computes wrongly, or the device does not take it. */
async function refusal(
  bench: UnitBench,
  { run }: Candidate,
  reference: Reference,
): Promise<string | undefined> {
  try {
    return await refusalOf(bench, run, reference);
  } catch (error) {
    if (error instanceof RunError || error instanceof CompileError) return error.message.split("\n")[0]!;
    throw error;
  }
}
