/**
 * How fast kernels of one schedule run on this machine's adapter, without Weft's runtime, and how long their first dispatch
 * takes.
 *
 *     deno run -A runtime/setup/main.ts tests/bench/schedules.ts row|contraction|attention [name…] [--rounds N]
 *
 * `first` is making the pipelines and the first run; it is a cold one only where the driver's cache is off. On a shared
 * machine times drift by a factor of two within minutes: compare what one call printed.
 *
 * @module
 */

import { Argument } from "commander";
import { benchmarkInRounds, runBenchmark } from "./command.ts";

const kinds = {
  row: async () => (await import("./schedules/row.ts")).timeRows,
  contraction: async () => (await import("./schedules/contraction.ts")).timeContractions,
  attention: async () => (await import("./schedules/attention.ts")).timeAttention,
} as const;

if (import.meta.main) {
  await runBenchmark(
    benchmarkInRounds({
      call: "deno run -A runtime/setup/main.ts tests/bench/schedules.ts",
      measures: "Times the kernels of one schedule on this machine's adapter, without Weft's runtime.",
      takes: "one or two minutes for all cases of a schedule on a software adapter with two cores.",
    }, 5)
      .addArgument(new Argument("<schedule>", "whose kernels").choices(Object.keys(kinds)))
      .argument("[part...]", "parts of the names of cases; default: all")
      .action(async (
        schedule: keyof typeof kinds,
        parts: readonly string[],
        { rounds, json }: { readonly rounds: number; readonly json: boolean },
      ) => {
        const time = await kinds[schedule]();
        await time(parts, { rounds, json });
      }),
  );
}
