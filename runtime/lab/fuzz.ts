/**
 * Random testing of the whole pipeline: graphs that fast-check draws, fused by every policy, for several limits, against
 * the references of their ops. What fails is shrunk and written down.
 *
 * It goes in rounds, each from a seed of its own, so that a failure is told by the seed of its round and fast-check's path
 * in it.
 * @module
 */

import type { RunDetails } from "fast-check";
import { RunError } from "../../compiler/errors.ts";
import { policies, type PolicyName } from "../../compiler/fuse/policies.ts";
import { defaultLimits, type Target, type TargetLimits } from "../../compiler/target.ts";
import { elementsOf } from "../../compiler/graph/dim.ts";
import { opTable } from "../../ops/define_op.ts";
import type { Device } from "../device.ts";
import { turn } from "../turn.ts";
import type { Case } from "./case.ts";
import { examine, type Examined } from "./examine.ts";
import { type Failure, isAlike, judge, type Setting } from "./judge.ts";
import type { Tape } from "./random_graph.ts";
import { shrink } from "./shrink.ts";

export type LimitsName = "default" | "small";

export interface FuzzOptions {
  readonly device: Device;
  /** Seconds that it may take. Default 60. */
  readonly seconds?: number;
  /** Of the first round; the next ones count on from it. Default 1. */
  readonly seed?: number;
  /** Where in the round of that seed to begin, as a failure says it: that graph alone is tried, and shrunk. */
  readonly path?: string;
  /** What fuses; default: all that ship, each against `none`. */
  readonly policies?: readonly PolicyName[];
  /** The device's own limits, WebGPU's default ones, or both (the default). */
  readonly limits?: readonly LimitsName[];
  /** Seconds that shrinking one failure may take. Default 14. */
  readonly shrinking?: number;
  /** What schedules are made for, where that is not the device's own target. */
  readonly target?: Target;
  readonly onProgress?: (progress: FuzzProgress) => void;
  readonly signal?: AbortSignal;
}

export interface FuzzProgress {
  readonly graphs: number;
  readonly failures: number;
  readonly elapsed: number;
  readonly seconds: number;
}

/** One policy under one set of limits, and what became of the graphs there. */
export interface FuzzWay {
  readonly policy: PolicyName;
  readonly limits: LimitsName;
  /** Graphs that it was tried on; of those, programs that no other policy had made of the same graph already. */
  runs: number;
  distinct: number;
  refused: number;
  failures: number;
}

export interface FuzzFailure {
  /** Of its round: with `path` it leads to the graph that fast-check shrank to. */
  readonly seed: number;
  readonly path: string;
  readonly policy: PolicyName;
  readonly limits: LimitsName;
  /** The simplest in which it still fails. */
  readonly setting: Setting;
  readonly failure: Failure;
  /** The smallest case that was found. */
  readonly case: Case;
  /** It fails without fusion as well. */
  readonly unfused: boolean;
  readonly minimal: boolean;
  /** How many failures of the same ops there were, this one among them. */
  count: number;
}

export interface FuzzReport {
  readonly graphs: number;
  readonly results: number;
  /** Results of which nothing can be said (SEMANTICS §10). */
  readonly dropped: number;
  readonly seconds: number;
  /** How many graphs had each op. */
  readonly ops: ReadonlyMap<string, number>;
  readonly missing: readonly string[];
  readonly ways: readonly FuzzWay[];
  readonly failures: readonly FuzzFailure[];
  /** Whether somebody ended it before its time was over. */
  readonly interrupted: boolean;
}

/** The policies that ship and fuse. */
const fusing = (Object.keys(policies) as PolicyName[]).filter((name) => name !== "none");

/** Graphs of a round. */
const ROUND = 48;
/**
 * Ways that a graph is tried in; they take turns. Where programs are JavaScript, each graph is computed unfused as well;
 * where a driver compiles them that would take most of the time.
 */
const TURN = { cpu: 3, webgpu: 2 };
/** What the graphs of a round are like. */
interface Round {
  /** Steps of the longest. */
  readonly longest: number;
  /** Times as large as small ones: tiles are full, and several of them, only in large tensors. */
  readonly scale: number;
  /** Sizes by their number, where graphs are to share kernels. */
  readonly dims?: readonly number[];
}

/** Rounds take turns. A driver takes long for each kernel that it sees first, so there graphs are small and alike. */
const ROUNDS: Readonly<Record<Device["kind"], readonly Round[]>> = {
  cpu: [{ longest: 5, scale: 1 }, { longest: 10, scale: 1 }, { longest: 3, scale: 5 }, {
    longest: 18,
    scale: 1,
  }, { longest: 5, scale: 1, dims: [0, 10, 9] }],
  webgpu: [
    { longest: 3, scale: 1, dims: [4, 6, 3] },
    { longest: 5, scale: 1, dims: [0, 7, 8] },
    { longest: 2, scale: 5, dims: [4, 6, 3] },
    { longest: 8, scale: 1, dims: [4, 6, 3] },
    { longest: 3, scale: 1, dims: [0, 10, 9] },
  ],
};
/** Graphs of more elements than this, in all nodes, are left out: references would take long. */
const MOST_ELEMENTS = 15_000;

/**
 * Tries random graphs until the time is over.
 *
 * @throws RunError where the device is lost.
 * @example
 * ```ts
 * import { openDevice } from "../device.ts";
 * import { fuzz } from "./fuzz.ts";
 *
 * using device = await openDevice({ device: "cpu" });
 * const { graphs, failures } = await fuzz({ device, seconds: 1, policies: ["greedy"], limits: ["small"] });
 * console.log(graphs, failures.map(({ failure }) => failure.message));
 * ```
 */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { device, seconds = 60, seed = 1, path, shrinking = 14, signal } = options;
  if (path !== undefined && !(Number(path.split(":")[0]) < ROUND)) {
    throw new RunError(`fuzz(): the path ${path} leads to no graph: a round has ${ROUND}, from 0 on.`);
  }
  // Loaded here: most who import Weft never fuzz.
  const [{ default: fc }, { tapes }, { randomCase, vocabulary }] = await Promise.all([
    import("fast-check"),
    import("./tapes.ts"),
    import("./random_case.ts"),
  ]);
  const { ways, settings } = waysOf(options);
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  const count = { graphs: 0, results: 0, dropped: 0 };
  const ops = new Map<string, number>();
  const failures: FuzzFailure[] = [];
  const tell = () =>
    options.onProgress?.({ graphs: count.graphs, failures: failures.length, elapsed: elapsed(), seconds });
  let longest = 0;
  // What would not be done in time is not begun.
  const isOver = () => elapsed() + longest / 2 >= seconds || signal?.aborted === true;
  /** A failure that comes late is still made a little smaller. */
  const mayShrink = () => Math.min(shrinking, Math.max(3, seconds - elapsed()));
  const roundOf = (own: number): Round => ROUNDS[device.kind][own % ROUNDS[device.kind].length]!;

  /** The first thing that is wrong with a tape's graph, in the ways of these numbers. */
  const wrong = async (tape: Tape, scale: number, some: readonly number[], counts: boolean) => {
    const began = elapsed();
    const c = randomCase(tape, scale);
    if (elementsIn(c) > MOST_ELEMENTS) return undefined;
    const late = () => counts && (elapsed() >= seconds || signal?.aborted === true);
    const examined = await examine(c, some.map((number) => settings[number]!), device, late);
    if (counts) {
      longest = Math.max(longest, elapsed() - began);
      count.graphs++;
      for (const name of new Set(c.graph.nodes.map(({ op }) => op.name))) {
        ops.set(name, (ops.get(name) ?? 0) + 1);
      }
      for (const { setting, failure, refused, same, results, dropped } of examined) {
        count.results += results;
        count.dropped += dropped;
        const way = ways[some[setting]!]!;
        way.runs++;
        if (!same && refused === undefined) way.distinct++;
        if (refused !== undefined) way.refused++;
        if (failure) way.failures++;
      }
      tell();
    }
    const bad = examined.filter(({ failure }) => failure !== undefined);
    // What is wrong without fusion as well is reported as that.
    const first: Examined | undefined = bad.find(({ setting }) => some[setting] === 0) ?? bad[0];
    return first && { case: c, way: some[first.setting]!, failure: first.failure! };
  };
  let turns = 0;
  /** Without fusion, and the ways whose turn it is; all of them where one graph is asked for. */
  const next = (): number[] => {
    if (path !== undefined) return [...ways.keys()];
    const first = device.kind === "cpu" ? 1 : 0;
    const others = ways.length - first;
    const length = Math.min(TURN[device.kind], others);
    return [...Array(first).keys(), ...Array.from({ length }, () => first + turns++ % others)];
  };

  for (let round = 0; !isOver() && (round === 0 || path === undefined); round++) {
    const own = seed + round;
    let shrinkingUntil = Infinity;
    let failing: number | undefined;
    const { longest: steps, scale, dims } = roundOf(own);
    const drawn = fc.noBias(tapes(steps, dims, vocabulary.length));
    const property = fc.asyncProperty(drawn, async (tape) => {
      await turn();
      const shrinks = failing !== undefined;
      if (shrinks ? elapsed() > shrinkingUntil || signal?.aborted : isOver()) return;
      const found = await wrong(tape, scale, failing === undefined ? next() : [failing], !shrinks);
      if (found === undefined) return;
      if (!shrinks) shrinkingUntil = elapsed() + 0.4 * mayShrink();
      failing = found.way;
      throw new Error(found.failure.message);
    });
    const numRuns = path === undefined ? ROUND : 1;
    const details = await fc.check(property, { seed: own, numRuns, ...path !== undefined && { path } });
    // An error of the testing itself: no graph's fault.
    if (details.failed && failing === undefined) throw details.errorInstance;
    if (details.failed) await note(own, failing!, details);
  }

  /** Shrinks what fast-check came to further, as a graph, and keeps it unless its like is known. */
  async function note(
    own: number,
    number: number,
    { counterexample, counterexamplePath }: RunDetails<[Tape]>,
  ): Promise<void> {
    const found = await wrong(counterexample![0], roundOf(own).scale, [number], false);
    if (found === undefined) return; // it fails beside others only, or not always
    const { case: c, failure } = found;
    const setting = settings[number]!;
    const holds = async (simpler: Case) => {
      const { failure: now } = await judge(simpler, setting, device);
      return now !== undefined && isAlike(now, failure);
    };
    const shrunk = await shrink(c, holds, { seconds: 0.6 * mayShrink(), ...signal && { signal } });
    const known = failures.find((other) => opsOf(other.case) === opsOf(shrunk.case));
    if (known) {
      known.count++;
      return;
    }
    const unfused: Setting = { target: device.target, policy: policies.none };
    // The simplest way in which it still fails; the last is the one that it was shrunk in.
    let [simplest, last] = [setting, failure];
    for (const simpler of [unfused, { ...setting, target: device.target }, setting]) {
      const { failure: now } = await judge(shrunk.case, simpler, device);
      if (now === undefined || !isAlike(now, failure)) continue;
      [simplest, last] = [simpler, now];
      break;
    }
    failures.push({
      seed: own,
      path: counterexamplePath!,
      policy: ways[number]!.policy,
      limits: ways[number]!.limits,
      setting: simplest,
      failure: last,
      case: shrunk.case,
      unfused: simplest === unfused,
      minimal: shrunk.minimal,
      count: 1,
    });
    tell();
  }

  if (path !== undefined && count.graphs === 0 && signal?.aborted !== true) {
    throw new RunError(`fuzz(): the path ${path} leads to no graph of the round of seed ${seed}.`);
  }
  return {
    ...count,
    seconds: elapsed(),
    ops,
    missing: [...opTable.keys()].filter((name) => !ops.has(name)).sort(),
    ways,
    failures,
    interrupted: signal?.aborted === true,
  };
}

function waysOf(
  { device, policies: names = fusing, limits = ["default", "small"], target = device.target }: FuzzOptions,
): { readonly ways: FuzzWay[]; readonly settings: readonly Setting[] } {
  const way = (policy: PolicyName, kind: LimitsName): FuzzWay => (
    { policy, limits: kind, runs: 0, distinct: 0, refused: 0, failures: 0 }
  );
  // First what the others are held to beside the references.
  const ways = [
    way("none", limits[0]!),
    ...names.filter((name) => name !== "none").flatMap((policy) => limits.map((kind) => way(policy, kind))),
  ];
  const settings = ways.map(({ policy, limits: kind }): Setting => ({
    target: kind === "default" ? target : { ...target, limits: smallest(target.limits, defaultLimits) },
    policy: policies[policy],
  }));
  return { ways, settings };
}

function smallest(a: TargetLimits, b: TargetLimits): TargetLimits {
  const keys = Object.keys(a) as (keyof TargetLimits)[];
  return Object.fromEntries(keys.map((key) => [key, Math.min(a[key], b[key])])) as unknown as TargetLimits;
}

const elementsIn = ({ graph }: Case): number =>
  graph.nodes.reduce((sum, { types }) => sum + Number(elementsOf(types[0]!.shape)), 0);

const opsOf = ({ graph }: Case): string => graph.nodes.map(({ op }) => op.name).sort().join();
