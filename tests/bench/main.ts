/**
 * Weft beside kernels written by hand and beside other libraries, on this machine's adapter.
 *
 *     deno task bench [workload…] [--peers FOLDER] [--json] [--rounds N]
 *     deno task bench --shapes [family…] [--json] [--rounds N]
 *
 * Machines drift: only ratios of one call mean anything. With --shapes, Weft alone over many shapes: what share of the
 * rate of the best nearby shape each of them reaches.
 * @module
 */

import { Option } from "commander";
import { whole } from "../../runtime/cli/numbers.ts";
import { benchmark, runBenchmark } from "./command.ts";

interface Flags {
  readonly peers?: string;
  readonly shapes: boolean;
  readonly rounds?: number;
  readonly json: boolean;
}

if (import.meta.main) {
  await runBenchmark(
    benchmark({
      call: "deno task bench",
      measures:
        "Times Weft and kernels written by hand, alternately, on this machine's adapter. Times drift; " +
        "compare ratios of one call.",
      takes:
        "five minutes for all workloads on a software adapter with two cores, fifteen with --peers, twenty with " +
        "--shapes; a workload alone some seconds.",
    })
      .argument("[part...]", "parts of the names of workloads, or with --shapes of families; default: all")
      .addOption(
        new Option("--peers <folder>", "other libraries too: the folder of their runners and packages")
          .conflicts("shapes"),
      )
      .option("--shapes", "Weft alone, over families of shapes: which fall behind their neighbors", false)
      .option(
        "--rounds <number>",
        "how often each is timed; medians are shown (default: 5; 3 with --shapes)",
        whole,
      )
      .action(async (parts: readonly string[], { peers, shapes, rounds, json }: Flags) => {
        if (shapes) {
          const { overShapes } = await import("./sweep.ts");
          await overShapes(parts, { json, rounds: rounds ?? 3 });
        } else {
          const { compare } = await import("./compare.ts");
          await compare(parts, { peers, json, rounds: rounds ?? 5 });
        }
      }),
  );
}
