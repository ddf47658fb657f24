/** Every sample of every op on the machine's adapter, unfused and fused, against the op's reference. */

import assert from "node:assert/strict";
import { policies } from "../../compiler/compile.ts";
import { caseOf, sampleCases, tableOps } from "../support/compile_samples.ts";
import { GpuChecker, type Run } from "../support/gpu_checker.ts";
import { graphOf } from "../../runtime/check_op/sample_graph.ts";
import { withError } from "../support/plant_error.ts";

const checker = await GpuChecker.open();
// Small kernels compile quickly.
const target = checker.target();

for (const [op, cases] of Map.groupBy(sampleCases(), ({ op }) => op)) {
  Deno.test(`${op}: it runs on the adapter as its reference says, unfused and fused`, async () => {
    const { none, greedy } = policies;
    await checker.check(cases.flatMap((sample): Run[] => [
      [sample, { target, policy: none }],
      [sample, { target, policy: greedy }],
    ]));
  });
}

Deno.test("an error of 1 % is noticed on the adapter, in a value and in a program", async () => {
  for (const name of ["exp", "sort"]) {
    const op = tableOps().find((op) => op.name === name)!;
    const { expected } = caseOf(name, "", graphOf(op, op.samples[0]!));
    const wrong = { ...caseOf(name, name, graphOf(withError(op, 0), op.samples[0]!)), expected };
    await assert.rejects(checker.check([[wrong, { target, policy: policies.greedy }]]), /and should be/);
  }
});

Deno.test("Tint accepts every kernel of an op, and hardly any result is undecidable", () => {
  console.log(checker.summary());
  checker[Symbol.dispose]();
});
