/**
 * Trains a character-level GPT: `deno task train`, or with options `deno task train --steps 500 --text book.txt`.
 *
 *     options        what can be asked for
 *     data           text as numbers, and batches of it
 *     train          the run; ../gpt.ts is the model
 *     validate       the loss on text that is not trained on
 *     sample         a text that the model writes
 *     checkpoint     stopping and going on
 *     late_losses, progress, curve    what one sees of it
 */

import { WeftError } from "../mod.ts";
import { openCheckpoint, resumedOptions } from "./train_gpt/checkpoint.ts";
import { helpText, parseCommandLine, UsageError, withDefaults } from "./train_gpt/options.ts";
import { stopOnSignal } from "./train_gpt/stop_on_signal.ts";
import { train } from "./train_gpt/train.ts";

async function main(args: readonly string[]): Promise<number> {
  try {
    const said = parseCommandLine(args);
    if (said === "help") {
      console.log(helpText());
      return 0;
    }
    const checkpoint = said.resume === undefined ? undefined : await openCheckpoint(said.resume);
    const options = withDefaults(checkpoint === undefined ? said : resumedOptions(checkpoint, said));
    const { step } = await train(options, checkpoint, stopOnSignal());
    return step < options.steps && !options.report ? 130 : 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof WeftError)) throw error;
    console.error(error.message);
    return error instanceof UsageError ? 2 : 1;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
