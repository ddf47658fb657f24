/** Every sample of every op through the whole pipeline, interpreted and as JavaScript, against the op's reference. */

import { CaseChecker, ways } from "../../support/check_cases.ts";
import { sampleCases } from "../../support/compile_samples.ts";

const checker = new CaseChecker();

for (const [op, cases] of Map.groupBy(sampleCases(), ({ op }) => op)) {
  Deno.test(`${op}: compiled for lanes and for one lane, interpreted and as JavaScript, it gives what its reference says`, () => {
    for (const sample of cases) checker.check(sample, [ways.interpreted, ways.none, ways.oneLane]);
  });
}

Deno.test("hardly any result of a compiled op is dropped as undecidable", () =>
  checker.assertHardlyDropped());
