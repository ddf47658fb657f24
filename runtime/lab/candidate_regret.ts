/**
 * What it would cost to believe the schedules' model: of the candidates that tuning would begin with for one
 * group, all timed in turns, how much slower is the one that the model likes best than the fastest?
 *
 * The candidates are the default, the patches that differ in kind, and the default's neighbors one knob away
 * (`compiler/schedule/candidates.ts`); equal kernels count once, and what the model expects to take 16 times
 * as long as the default, or what has more statements than drivers like, is left out as in tuning.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { CompileError, RunError } from "../../compiler/errors.ts";
import { neighbors, startingPatches } from "../../compiler/schedule/candidates.ts";
import { compiledStatements, estimatedSteps } from "../../compiler/schedule/cost.ts";
import { printPatch } from "../../compiler/schedule/tuning.ts";
import type { Unit } from "../../compiler/schedule/unit.ts";
import type { Device } from "../device.ts";
import { turn } from "../turn.ts";
import { UnitBench } from "../tune/bench.ts";
import { contentsFor } from "../tune/inputs.ts";
import { type Candidate, candidateOf } from "../tune/search.ts";
import { kendall, regretOf } from "./kendall.ts";

/** A way to compute a group; plain data. */
export interface TimedCandidate {
  /** Its numbers beside the target's. */
  readonly patch: string;
  /** What the model expects, in steps. */
  readonly predicted: number;
  /** The least of some rounds, in milliseconds. */
  readonly measured: number;
}

/** The candidates of a group, the default first. */
export interface CandidateRegret {
  readonly label: string;
  readonly schedule: string;
  readonly candidates: readonly TimedCandidate[];
  /** The measured time of the model's favorite over that of the fastest. */
  readonly regret: number;
  /** Kendall's τ over the pairs that are 1.05 to 4 times apart. */
  readonly tau: number | undefined;
}

const LARGEST_ESTIMATE = 16;
const MOST_CANDIDATES = 24;
/** Seconds after which no further candidate is made: a driver compiles each. */
const MOST_SECONDS = 20;
const ROUNDS = 9;

/**
 * Times the candidates of one unit of a program.
 *
 * @returns undefined where none could be timed, or it was ended before one was.
 * @throws RunError where the device has no room, or computes nothing any more.
 */
export async function candidateRegret(
  unit: Unit,
  { regions, program }: Pick<Compiled, "regions" | "program">,
  { engine, target }: Device,
  signal?: AbortSignal,
): Promise<CandidateRegret | undefined> {
  const temporary = program.arenas.findIndex(({ role }) => role === "temporary");
  using bench = await UnitBench.open(engine, unit.kernels, (name) => regions.get(name)?.arena ?? temporary);
  const contents = contentsFor(bench.buffers, unit.kernels, "signed");
  bench.fill(contents);
  const taken: Candidate[] = [];
  const until = performance.now() + 1000 * MOST_SECONDS;
  for (const candidate of candidatesOf(unit, target)) {
    if (signal?.aborted || (performance.now() > until && taken.length > 1)) break;
    await turn();
    if (!bench.takes(candidate.run)) continue;
    try {
      await bench.compute(candidate.run, contents); // the driver compiles
      taken.push(candidate);
    } catch (error) {
      engine.assertUsable();
      if (!(error instanceof RunError || error instanceof CompileError)) throw error;
    }
  }
  if (taken.length === 0) return undefined;
  const times = await bench.time(taken.map(({ run }) => run), ROUNDS, contents);
  const candidates = taken.map(({ patch, run }, i): TimedCandidate => ({
    patch: printPatch(patch),
    predicted: estimatedSteps(run, target),
    measured: Math.min(...times[i]!),
  }));
  return {
    label: unit.label,
    schedule: unit.kernels[0]!.schedule,
    candidates,
    regret: regretOf(candidates),
    tau: kendall(candidates, { within: 4, beyond: 1.05 }).tau,
  };
}

function* candidatesOf(unit: Unit, target: Device["target"]): Generator<Candidate> {
  const names = new Set(unit.kernels.map(({ schedule }) => schedule));
  const [first, ...others] = [{}, ...startingPatches(names, target), ...neighbors({}, names, target)];
  const own = candidateOf(unit, first!, target)!;
  const steps = estimatedSteps(own.run, target);
  const statements = Math.max(target.statements, compiledStatements(own.run));
  const found = new Set([own.text]);
  yield own;
  for (const patch of others) {
    if (found.size === MOST_CANDIDATES) break;
    const candidate = candidateOf(unit, patch, target);
    if (!candidate || found.has(candidate.text)) continue;
    if (compiledStatements(candidate.run) > statements) continue;
    if (estimatedSteps(candidate.run, target) > LARGEST_ESTIMATE * steps) continue;
    found.add(candidate.text);
    yield candidate;
  }
}
