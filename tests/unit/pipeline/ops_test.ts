/** Every sample of every op through the whole pipeline, unfused and fused, against the op's reference. */

import assert from "node:assert/strict";
import { policies } from "../../../compiler/compile.ts";
import type { FusionPolicy } from "../../../compiler/fuse/policy.ts";
import { printKernel } from "../../../compiler/kernel/print.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { type Target, testTarget } from "../../../compiler/target.ts";
import { compileCase, complaintOf, type SampleCase, sampleCases } from "../../support/compile_samples.ts";
import { HostRun } from "../../support/run_program.ts";

const withF16: Target = { ...testTarget, features: { ...testTarget.features, f16: true } };
const oneLane: Target = {
  ...withF16,
  name: "one lane",
  lanes: { map: 1, row: 1, contraction: 1 },
  contraction: { ...testTarget.contraction, grid: [1, 1] },
};
const runs: readonly { readonly target: Target; readonly policy: FusionPolicy }[] = [
  { target: withF16, policy: policies.none },
  { target: oneLane, policy: policies.greedy },
];

const byOp = Map.groupBy(sampleCases(), ({ op }) => op);
const verified = new Set<string>();
const results = { all: 0, dropped: 0 };

for (const [op, cases] of byOp) {
  Deno.test(`${op}: compiled for lanes and for one lane, it gives what its reference says`, () => {
    for (const sample of cases) {
      for (const { target, policy } of runs) checkCase(sample, target, policy);
    }
  });
}

Deno.test("hardly any result of a compiled op is dropped as undecidable", () => {
  assert.ok(results.all > 0);
  assert.ok(results.dropped <= 0.02 * results.all, `${results.dropped} of ${results.all}`);
});

function checkCase(sample: SampleCase, target: Target, policy: FusionPolicy): void {
  const { program } = compileCase(sample, { target, policy });
  for (const kernel of program.kernels) {
    const text = printKernel(kernel);
    if (verified.has(text)) continue;
    verifyKernel(kernel, target.limits, target.features);
    verified.add(text);
  }
  for (const { dropped } of Object.values(sample.expected)) {
    results.all++;
    if (dropped) results.dropped++;
  }
  const complaint = complaintOf(sample, new HostRun(program).run(sample.feeds));
  assert.equal(complaint, undefined, `${complaint} (${target.name}, policy ${policy.name})`);
}
