/** SEMANTICS §3, §6, §7 and §8, line by line: the references and the compiled kernels, fused and not. */

import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { runOnHost, verifyKernels, ways } from "../../support/check_cases.ts";
import { broken, conventionCase, outputName } from "../../support/convention_cases.ts";
import { conventions } from "../../support/conventions.ts";

for (const convention of conventions) {
  Deno.test(`"${convention.says}": so do the references and the compiled kernels`, () => {
    const made = conventionCase(convention);
    assert.equal(broken(convention, made.reference), undefined);
    for (const way of Object.values(ways)) {
      const { program } = compileGraph(made.graph, way);
      verifyKernels(program, way.target);
      const results = runOnHost(program, made);
      const got = convention.want.map((_, k) => results[outputName(0, k)]!);
      assert.equal(broken(convention, got), undefined, `(${way.target.name}, policy ${way.policy.name})`);
    }
  });
}
