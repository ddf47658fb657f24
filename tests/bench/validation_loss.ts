/**
 * The loss of the training program on the whole validation split, for several seeds: how well what it trains has learned.
 *
 *     deno run -A runtime/setup/main.ts tests/bench/validation_loss.ts --text FILE [--seeds 1,2,3] [--rate X] [--json]
 *
 * All other options are the training program's defaults. nanoGPT publishes 1.88 for its small configuration on tiny
 * Shakespeare, an estimate on 240 random pieces of the validation split; the whole split is what is measured here.
 *
 * @module
 */

import { count, positive } from "../../runtime/cli/numbers.ts";
import { UsageError } from "../../runtime/cli/usage_error.ts";
import { benchmark, runBenchmark } from "./command.ts";
import { median } from "./interleave.ts";

interface Flags {
  readonly text?: string;
  readonly seeds: readonly number[];
  readonly rate?: number;
  readonly json: boolean;
}

async function show({ text, seeds, rate, json }: Flags): Promise<void> {
  if (text === undefined) throw new UsageError("which text? --text FILE");
  const { UsageError: OptionError } = await import("../../examples/command_line.ts");
  const { withDefaults } = await import("../../examples/train_gpt/options.ts");
  const { train } = await import("../../examples/train_gpt/train.ts");
  const losses: number[] = [];
  for (const seed of seeds) {
    const out = await Deno.makeTempDir({ prefix: "weft" });
    try {
      const options = withDefaults({ text, seed, out, sample: 0, ...rate !== undefined && { rate } });
      const { validation } = await train(options, undefined, { aborted: false });
      losses.push(validation!);
    } catch (error) {
      if (error instanceof OptionError) throw new UsageError(error.message, { cause: error });
      throw error;
    } finally {
      await Deno.remove(out, { recursive: true });
    }
  }
  if (json) return console.log(JSON.stringify({ seeds, losses, median: median(losses) }));
  console.log(`whole validation split, by seed: ${losses.map((loss) => loss.toFixed(4)).join(" ")}`);
  console.log(`median: ${median(losses).toFixed(4)}`);
}

if (import.meta.main) {
  await runBenchmark(
    benchmark({
      call: "deno run -A runtime/setup/main.ts tests/bench/validation_loss.ts",
      measures: "Trains a GPT from several seeds and gives the loss on the whole validation split.",
      takes: "about eight minutes per seed on a software adapter with two cores.",
    })
      .option("--text <file>", "the text to train on; needed")
      .option("--seeds <numbers>", "seeds, with commas between them", (list) => list.split(",").map(count), [
        1,
        2,
        3,
      ])
      .option("--rate <number>", "the learning rate (default: the training program's)", positive)
      .action(show),
  );
}
