/**
 * What fusion buys: programs of two to ten ops, unfused and fused, beside each other.
 *
 *     deno run -A tests/bench/fusion_set/main.ts [name…] [--policy NAME]… [--rounds N] [--json] [--processor-time]
 *
 * The policy `library` is one kernel per op that libraries offer: beside it one sees what fusing across ops buys.
 * @module
 */

import { Option } from "commander";
import { benchmarkInRounds, runBenchmark } from "../command.ts";
import type { Asked } from "./time_fusion.ts";

if (import.meta.main) {
  await runBenchmark(
    benchmarkInRounds({
      call: "deno run -A runtime/setup/main.ts tests/bench/fusion_set/main.ts",
      measures:
        "Times programs of two to ten ops without fusion and by each policy asked for, on this machine's adapter.",
      takes: "fifteen minutes for all 76 programs on a software adapter with two cores; a family two.",
    }, 5)
      .argument("[name...]", "families, or parts of programs' names; default: all")
      .addOption(
        new Option(
          "--policy <name>",
          "what fuses, `library` among them; any number of times (default: greedy)",
        )
          .argParser((name, before: readonly string[] | undefined) => [...before ?? [], name]),
      )
      .option(
        "--processor-time",
        "count what the process's threads work (Linux): for a software adapter on a machine that others use",
        false,
      )
      .action(
        async (names: readonly string[], flags: Omit<Asked, "policy"> & Partial<Pick<Asked, "policy">>) => {
          const { timeFusion } = await import("./time_fusion.ts");
          await timeFusion(names, { policy: ["greedy"], ...flags });
        },
      ),
  );
}
