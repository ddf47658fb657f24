/**
 * Random graphs through the whole pipeline and the JavaScript emitter: unfused and fused, on several lanes and on one, for
 * WebGPU's default limits, for an adapter's that binds many buffers and for one that binds few, against the references of
 * their ops. Fused equals unfused where both are what the references say.
 * @module
 */

import fc from "fast-check";
import { policies } from "../../compiler/compile.ts";
import { testTarget } from "../../compiler/target.ts";
import { CaseChecker, type Way, ways } from "./check_cases.ts";
import type { SampleCase } from "./compile_samples.ts";
import { randomCase } from "./random_cases.ts";
import { tapes } from "./random_graphs.ts";

const few = 4;

const withBuffers = (count: number): Way => ({
  target: {
    ...testTarget,
    name: `${count} buffers`,
    limits: { ...testTarget.limits, storageBuffers: count },
  },
  policy: policies.greedy,
});

/** Attention by itself binds more. */
const fitsFew = ({ graph }: SampleCase): boolean =>
  graph.nodes.every(({ inputs, types }) => inputs.length + types.length <= few);

export interface RandomRuns {
  /** Steps of the longest graph: in a small one, a rare step is not one of many. */
  readonly longest: number;
  readonly count: number;
  readonly seed: number;
}

/** Throws with the smallest graph that still fails, and the seed and path that lead to it. */
export function checkRandomGraphs({ longest, count, seed }: RandomRuns): void {
  const checker = new CaseChecker();
  const always = [ways.none, ways.greedy, ways.oneLane, withBuffers(64)];
  const property = fc.property(tapes(longest), (tape) => {
    const sample = randomCase(tape);
    checker.check(sample, [...always, ...fitsFew(sample) ? [withBuffers(few)] : []]);
  });
  fc.assert(property, { numRuns: count, seed, includeErrorInReport: true });
  checker.assertHardlyDropped();
}
