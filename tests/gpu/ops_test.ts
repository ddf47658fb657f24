/** Every sample of every op on the machine's adapter, unfused and fused, against the op's reference. */

import { policies } from "../../compiler/compile.ts";
import { sampleCases } from "../support/compile_samples.ts";
import { GpuChecker, type Run } from "../support/gpu_checker.ts";

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

Deno.test("Tint accepts every kernel of an op, and hardly any result is undecidable", () => {
  console.log(checker.summary());
  checker[Symbol.dispose]();
});
