/** What the training program can be asked for. */

import { defaultsOf, oneOf, real, text, UsageError, type Values, whole, yes } from "../command_line.ts";

const flags = {
  text: text("", "FILE", "train on this file instead of Weft's own sources"),
  steps: whole(2000, 1, "training steps"),
  batch: whole(12, 1, "pieces of text per step"),
  context: whole(64, 1, "characters that the model sees at once"),
  layers: whole(4, 1, "blocks"),
  heads: whole(4, 1, "attention heads per block"),
  width: whole(128, 1, "numbers per character between blocks; a multiple of the heads"),
  biases: yes(false, "biases in linear layers and norms"),
  tied: yes(true, "share the token embedding with the head (--no-tied: don't)"),
  rate: real(2e-3, "learning rate after the warm-up"),
  minRate: real(1e-4, "learning rate at the end"),
  warmup: whole(100, 0, "steps in which the rate rises; at most a twentieth of the steps"),
  decay: real(0.1, "weight decay of matrices"),
  clip: real(1, "largest norm of the gradient; 0: no limit"),
  dropout: real(0, "part of each residual branch that is dropped", 1),
  seed: whole(0, 0, "seed of parameters, batches, dropout and samples"),
  eval: whole(250, 0, "steps between validations, each of which also saves a checkpoint; 0: only at the end"),
  evalBatches: whole(20, 1, "batches of a validation; at the end the whole validation split counts"),
  sample: whole(500, 0, "characters of text written at the end"),
  temperature: real(0.8, "how daring the text is; 0: always the likeliest character"),
  topK: whole(20, 1, "characters among which the text chooses"),
  prompt: text("\n", "TEXT", "what the text goes on from"),
  out: text("out/gpt", "DIR", "where checkpoint, losses, curve and text are written"),
  resume: text("", "DIR|FILE", "go on from a checkpoint, exactly as if it had not stopped"),
  report: yes(false, "print the kernels and the memory of a step, and train nothing"),
  device: oneOf("auto", ["auto", "webgpu", "cpu"], "where to compute"),
};

export type Options = Values<typeof flags>;

export const commandLine = {
  about: "Trains a small GPT on characters and writes text with it.",
  call: "deno task train",
  flags,
  after: "Ctrl-C saves a checkpoint and stops; a second Ctrl-C stops at once.",
} as const;

/** What is said, and the defaults for the rest; refused where it doesn't fit together. */
export function withDefaults(said: Partial<Options>): Options {
  const options = { ...defaultsOf(commandLine), ...said };
  const { heads, width, warmup, steps, minRate, rate } = options;
  if (width % heads !== 0) {
    throw new UsageError(
      `--width ${width} is not a multiple of --heads ${heads}: each head gets an equal part.`,
    );
  }
  if (said.warmup !== undefined && warmup >= steps) {
    throw new UsageError(`--warmup ${warmup} takes all of --steps ${steps}; the rate must come down again.`);
  }
  if (minRate > rate) throw new UsageError(`--min-rate ${minRate} is more than --rate ${rate}.`);
  if (said.warmup === undefined) return { ...options, warmup: Math.min(warmup, Math.floor(steps / 20)) };
  return options;
}
