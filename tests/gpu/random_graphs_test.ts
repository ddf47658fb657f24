/**
 * Random graphs on the machine's adapter, unfused and fused, for WebGPU's default limits and for the adapter's own,
 * against the references of their ops. A failure is shown as the smallest graph that still fails.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { policies } from "../../compiler/compile.ts";
import { testTarget } from "../../compiler/target.ts";
import { GpuChecker, type Run } from "../support/gpu_checker.ts";
import { LONG } from "../support/long.ts";
import { randomCase } from "../support/random_cases.ts";
import { tapes } from "../support/random_graphs.ts";

const checker = await GpuChecker.open();
const ways = [
  ...[checker.target(testTarget, "own"), checker.target()].flatMap((target) =>
    [policies.none, policies.greedy].map((policy) => ({ target, policy }))
  ),
  { target: checker.target(), policy: policies.search },
];

/** Graphs that share a submit and a wait. */
const together = 48;

/** Three sizes by their number, which are all that the inputs of these graphs have: so they share unfused kernels. */
const kinds = [
  { what: "small", longest: 4, dims: [4, 6, 3], seed: 201, batches: 8 },
  { what: "large", longest: 10, dims: [0, 7, 8], seed: 202, batches: 2 },
];

for (const { what, longest, dims, seed, batches } of kinds) {
  Deno.test(`${what} random graphs give on the adapter what their references say, fused and unfused`, async () => {
    let graphs = 0;
    const lists = fc.noBias(
      fc.array(tapes(longest, dims), { minLength: 1, maxLength: together, size: "max" }),
    );
    const property = fc.asyncProperty(lists, async (list) => {
      graphs += list.length;
      const samples = list.map((tape) => randomCase(tape));
      await checker.check(samples.flatMap((sample) => ways.map((way): Run => [sample, way])));
    });
    const numRuns = LONG ? 5 * batches : batches;
    await fc.assert(property, { numRuns, seed, includeErrorInReport: true });
    console.log(`${graphs} ${what} graphs, ${ways.length} ways each`);
    // Lists are half as long as they may be, give or take.
    assert(graphs >= numRuns * together / 4);
  });
}

Deno.test("Tint accepts every kernel of a random graph, and hardly any result is undecidable", () => {
  console.log(checker.summary());
  checker[Symbol.dispose]();
});
