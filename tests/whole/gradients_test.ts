/** The gradient of every op, as a graph: unfused and fused, against the references of what it is made of. */

import { CaseChecker, ways } from "../support/check_cases.ts";
import { gradientCases } from "../support/compile_samples.ts";

const checker = new CaseChecker();

for (const [op, cases] of Map.groupBy(gradientCases(), ({ op }) => op)) {
  Deno.test(`${op}: its gradient, compiled unfused, fused and for one lane, is that of the references`, () => {
    for (const sample of cases) checker.check(sample, [ways.none, ways.greedy, ways.oneLane]);
  });
}

Deno.test("hardly any gradient is dropped as undecidable", () => checker.assertHardlyDropped());
