/** The fusion set: what its programs give, fused and unfused, and how many kernels they come to. */

import assert from "node:assert/strict";
import { compileGraph, policies } from "../../compiler/compile.ts";
import { softwareTarget, testTarget } from "../../compiler/target.ts";
import { unsplit } from "../bench/program_counts.ts";
import { fusionSet } from "../bench/fusion_set/programs.ts";
import { sampleOf } from "../bench/fusion_set/sample.ts";
import { trafficOf } from "../bench/fusion_set/traffic.ts";
import { fusedBy, known, modelFor, unfused } from "../bench/fusion_set/ways.ts";
import { runOnHost, verifyKernels } from "../support/check_cases.ts";
import { complaintOf } from "../support/compile_samples.ts";

const ways = [unfused, fusedBy(known.library!), fusedBy(policies.greedy)];

for (const program of fusionSet) {
  Deno.test(`${program.name} gives what the references of its ops say, fused and unfused`, () => {
    const sample = sampleOf(program);
    const model = program.model(program.small);
    for (const way of ways) {
      const { policy } = way;
      const compiled = compileGraph(modelFor(model, way).graph, { target: testTarget, ...way });
      verifyKernels(compiled.program, testTarget);
      const complaint = complaintOf(sample, runOnHost(compiled.program, sample));
      assert.equal(complaint, undefined, `${complaint}, by the policy ${policy.name}`);
    }
  });
}

Deno.test("the fusion set has 40 programs and more, of two to ten ops, and no name twice", () => {
  assert(fusionSet.length >= 40, `${fusionSet.length}`);
  assert.equal(new Set(fusionSet.map(({ name }) => name)).size, fusionSet.length);
  for (const { name, ops } of fusionSet) assert(ops.length >= 2 && ops.length <= 10, `${name}: ${ops}`);
});

const golden = new URL("../golden/fusion_set.txt", import.meta.url);

Deno.test("the fusion set comes to as many kernels as the golden file says", () => {
  const target = unsplit(softwareTarget);
  const lines = fusionSet.map((program) => {
    const model = program.model(program.full);
    const counts = ways.map((way) => {
      const { graph } = modelFor(model, way);
      return String(trafficOf(compileGraph(graph, { target, ...way }).program).dispatches).padStart(9);
    });
    return `${program.name.padEnd(38)} ${counts.join("")}\n`;
  });
  const title = "Kernels at full size, with no sum split over workgroups";
  const text = `# ${title}\n${" ".repeat(38)}      none  library   greedy\n${lines.join("")}`;
  if (Deno.args.includes("--update")) Deno.writeTextFileSync(golden, text);
  assert.equal(text, Deno.readTextFileSync(golden));
});
