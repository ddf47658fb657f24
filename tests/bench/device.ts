/**
 * What Weft reaches of the device that it runs on: of its bandwidth, of its arithmetic, and of its time.
 *
 *     deno run -A runtime/setup/main.ts tests/bench/device.ts [--small] [--json] [--rounds N]
 *
 * @module
 */

import { benchmarkInRounds, runBenchmark } from "./command.ts";

interface Flags {
  readonly small: boolean;
  readonly rounds: number;
  readonly json: boolean;
}

if (import.meta.main) {
  await runBenchmark(
    benchmarkInRounds({
      call: "deno run -A runtime/setup/main.ts tests/bench/device.ts",
      measures:
        "Times copies, multiply-adds, kernels and training steps: what Weft reaches of the device's bandwidth " +
        "and arithmetic, and how long the device has nothing to do.",
      takes:
        "a minute on a GPU; two with --small on a software adapter with two cores, where without it a training " +
        "step alone takes minutes.",
    }, 5)
      .option(
        "--small",
        "for software adapters: a product of 1,024 instead of 4,096, and nanoGPT's step on 4 pieces instead of 64",
        false,
      )
      .action(async (flags: Flags) => {
        const { partsOfPeaks } = await import("./peak_parts.ts");
        await partsOfPeaks(flags);
      }),
  );
}
