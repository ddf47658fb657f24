/**
 * What a page downloads before it can run a network, and how long a first visitor waits for the first numbers.
 *
 *     deno run -A tests/bench/download.ts [--peers FOLDER] [--rounds 5] [--json]
 *
 * @module
 */

import { benchmarkInRounds, runBenchmark } from "./command.ts";

interface Flags {
  readonly peers?: string;
  readonly rounds: number;
  readonly json: boolean;
}

if (import.meta.main) {
  await runBenchmark(
    benchmarkInRounds({
      call: "deno run -A tests/bench/download.ts",
      measures:
        "Counts the bytes that a page downloads before it can run a network, and times a first visit in " +
        "Chromium up to the first result.",
      takes: "two minutes on two cores, ten with --peers.",
    }, 5)
      .option("--peers <folder>", "pages of other libraries too: the folder of their packages")
      .action(async ({ peers, rounds, json }: Flags) => {
        const { firstVisits } = await import("./download/first_visits.ts");
        await firstVisits({ peers, rounds, json });
      }),
  );
}
