/**
 * Makes what the page that writes text needs: text.safetensors, weights stored as halves, and text.json, which says the
 * model's shape and which characters its tokens are.
 *
 *     deno run -A examples/pages/train_text.ts --text FILE
 *
 * All options of `deno task train` are understood; `--resume DIR` takes the model of a run that has ended, as it is.
 */

import { SafetensorsReader, writeSafetensors } from "../../mod.ts";
import { runProgram } from "../command_line.ts";
import type { GptOptions } from "../gpt.ts";
import { gptDecoder } from "../gpt_decode.ts";
import { type Checkpoint, openCheckpoint, resumedOptions } from "../train_gpt/checkpoint.ts";
import { commandLine, withDefaults } from "../train_gpt/options.ts";
import { stopOnSignal } from "../train_gpt/stop_on_signal.ts";
import { shapeOf, train } from "../train_gpt/train.ts";

/** A model whose weights are a small download. */
const small = {
  layers: 2,
  heads: 4,
  width: 64,
  steps: 3000,
  rate: 4e-3,
  eval: 500,
  out: "out/text",
} as const;

/** What text.json says. */
export interface TextModel {
  readonly shape: GptOptions;
  /** The characters that tokens are, in order. */
  readonly symbols: string;
}

/** Writes what the page needs of a checkpoint. */
async function writePage({ path, options, symbols }: Checkpoint, folder: URL): Promise<void> {
  const { dropout: _dropout, ...shape } = shapeOf(withDefaults(options), symbols.length);
  const decoder = gptDecoder(shape);
  using reader = await SafetensorsReader.open(path);
  const tensors = [];
  for (const { path, tensor, role } of decoder.states) {
    if (role !== "parameter") continue;
    const { data } = await reader.read(path, "f32");
    tensors.push({
      name: path,
      shape: tensor.shape as readonly number[],
      dtype: "f16" as const,
      data: data as Float32Array,
    });
  }
  await writeSafetensors(new URL("text.safetensors", folder).pathname, tensors);
  const model: TextModel = { shape, symbols: symbols.join("") };
  const temporary = new URL(`text.${crypto.randomUUID()}.tmp`, folder);
  await Deno.writeTextFile(temporary, `${JSON.stringify(model, null, 2)}\n`);
  await Deno.rename(temporary, new URL("text.json", folder));
}

if (import.meta.main) {
  Deno.exit(
    await runProgram(
      { ...commandLine, call: "deno run -A examples/pages/train_text.ts" },
      Deno.args,
      async (said) => {
        const checkpoint = said.resume === undefined ? undefined : await openCheckpoint(said.resume);
        const options = withDefaults(
          checkpoint === undefined ? { ...small, ...said } : resumedOptions(checkpoint, said),
        );
        const { step } = await train(options, checkpoint, stopOnSignal());
        if (options.report) return 0;
        if (step < options.steps) return 130;
        await writePage(await openCheckpoint(options.out), new URL("./", import.meta.url));
        console.log("examples/pages/text.safetensors and text.json are written");
        return 0;
      },
    ),
  );
}
