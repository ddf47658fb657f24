/** Every sample of every op through the whole pipeline, unfused and fused, against the op's reference. */

import { CaseChecker, ways } from "../../support/check_cases.ts";
import { sampleCases } from "../../support/compile_samples.ts";

const checker = new CaseChecker();

for (const [op, cases] of Map.groupBy(sampleCases(), ({ op }) => op)) {
  Deno.test(`${op}: compiled for lanes and for one lane, it gives what its reference says`, () => {
    for (const sample of cases) checker.check(sample, [ways.none, ways.oneLane]);
  });
}

Deno.test("hardly any result of a compiled op is dropped as undecidable", () =>
  checker.assertHardlyDropped());
