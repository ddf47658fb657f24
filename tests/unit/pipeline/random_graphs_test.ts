/**
 * Random graphs, unfused and fused, for the default limits and for few buffers, against the references of their ops. A
 * failure is shown as the smallest graph that still fails.
 */

import fc from "fast-check";
import { policies } from "../../../compiler/compile.ts";
import { testTarget } from "../../../compiler/target.ts";
import { CaseChecker, type Way, ways } from "../../support/check_cases.ts";
import { LONG } from "../../support/long.ts";
import type { SampleCase } from "../../support/compile_samples.ts";
import { randomCase } from "../../support/random_cases.ts";
import { tapes } from "../../support/random_graphs.ts";

const few = 4;
const fewBuffers: Way = {
  target: { ...testTarget, name: `${few} buffers`, limits: { ...testTarget.limits, storageBuffers: few } },
  policy: policies.greedy,
};
/** Attention by itself binds more. */
const fits = ({ graph }: SampleCase): boolean =>
  graph.nodes.every(({ inputs, types }) => inputs.length + types.length <= few);

const checker = new CaseChecker();

/** Half of the runs are small graphs, in which a rare step is not one of many. */
for (const [what, longest, seed] of [["small", 5, 101], ["large", 18, 102]] as const) {
  Deno.test(`${what} random graphs give what their references say, fused and unfused`, () => {
    const property = fc.property(tapes(longest), (tape) => {
      const sample = randomCase(tape);
      checker.check(sample, [ways.none, ways.greedy, ways.oneLane, ...fits(sample) ? [fewBuffers] : []]);
    });
    fc.assert(property, { numRuns: LONG ? 1000 : 200, seed, includeErrorInReport: true });
  });
}

Deno.test("hardly any result of a random graph is dropped as undecidable", () =>
  checker.assertHardlyDropped());
