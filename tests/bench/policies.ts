/**
 * Fusion policies beside each other.
 *
 *     deno run -A tests/bench/policies.ts                  how far each is from the best partition, on 200 random graphs
 *     deno run -A tests/bench/policies.ts --programs       what each makes of the MLP's and the GPT's training step
 *     deno run -A tests/bench/policies.ts --device         the five best partitions of 20 graphs, timed on the adapter
 *     deno run -A tests/bench/policies.ts --programs --device    the training steps, timed on the adapter
 *
 * The first two need no device: they compare covers by the cost model.
 * @module
 */

import { Option } from "commander";
import { count, positive, whole } from "../../runtime/cli/numbers.ts";
import { benchmark, runBenchmark } from "./command.ts";
import type { PolicyFlags } from "./policies/show.ts";

interface Flags extends PolicyFlags {
  readonly programs: boolean;
  readonly device: boolean;
}

if (import.meta.main) {
  await runBenchmark(
    benchmark({
      call: "deno run -A tests/bench/policies.ts",
      measures:
        "Compares fusion policies: how far their covers of random graphs are from the best partition.",
      takes: "a minute by the model, of graphs or of training steps; several with --device.",
    })
      .option("--programs", "the training steps of an MLP and a GPT instead of random graphs", false)
      .option("--device", "timed on the adapter, and not by the cost model alone", false)
      .addOption(
        new Option("--target <kind>", "the processor that the model is of, without --device")
          .choices(["software", "gpu"]).default("software"),
      )
      .option("--count <number>", "random graphs (default: 200; 20 with --device)", whole)
      .option("--seed <number>", "seed of the graphs", count, 1)
      .option("--scale <number>", "times the sizes of tests, 3 to 16", positive, 32)
      .action(async ({ programs, device, ...flags }: Flags) => {
        const { showDistances, showOrders, showPrograms, showTimes } = await import("./policies/show.ts");
        if (programs && device) await showTimes(flags);
        else if (programs) showPrograms(flags);
        else if (device) await showOrders(flags);
        else showDistances(flags);
      }),
  );
}
