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

import { runProgram } from "./command_line.ts";
import { openCheckpoint, resumedOptions } from "./train_gpt/checkpoint.ts";
import { commandLine, withDefaults } from "./train_gpt/options.ts";
import { stopOnSignal } from "./train_gpt/stop_on_signal.ts";
import { train } from "./train_gpt/train.ts";

if (import.meta.main) {
  Deno.exit(
    await runProgram(commandLine, Deno.args, async (said) => {
      const checkpoint = said.resume === undefined ? undefined : await openCheckpoint(said.resume);
      const options = withDefaults(checkpoint === undefined ? said : resumedOptions(checkpoint, said));
      const { step } = await train(options, checkpoint, stopOnSignal());
      return step < options.steps && !options.report ? 130 : 0;
    }),
  );
}
