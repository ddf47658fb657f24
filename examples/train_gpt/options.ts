/** The command line of the training program: one table says names, defaults, limits and help. */

import { parseArgs } from "node:util";

/** A command line that can't be understood, said in one sentence. */
export class UsageError extends Error {}

interface Flag<T> {
  readonly value: T;
  /** What stands for the value in the help. */
  readonly shown: string;
  readonly help: string;
  /** The value, or undefined where the text is none. */
  parse(text: string): T | undefined;
  /** What the value must be, for messages. */
  readonly must: string;
}

const whole = (value: number, least: number, help: string): Flag<number> => ({
  value,
  shown: "N",
  help,
  parse: (text) =>
    /^\d+$/.test(text) && Number(text) >= least && Number.isSafeInteger(Number(text))
      ? Number(text)
      : undefined,
  must: `a whole number from ${least} up`,
});

const real = (value: number, help: string, below = Infinity): Flag<number> => ({
  value,
  shown: "X",
  help,
  parse: (text) => text.trim() !== "" && Number(text) >= 0 && Number(text) < below ? Number(text) : undefined,
  must: below === Infinity ? "a number from 0 up" : `a number from 0 up to below ${below}`,
});

const text = (value: string, shown: string, help: string): Flag<string> => ({
  value,
  shown,
  help,
  parse: (given) => given === "" ? undefined : given,
  must: "not empty",
});

const oneOf = <T extends string>(value: T, choices: readonly T[], help: string): Flag<T> => ({
  value,
  shown: choices.join("|"),
  help,
  parse: (given) => choices.find((choice) => choice === given),
  must: `one of ${choices.join(", ")}`,
});

const yes = (value: boolean, help: string): Flag<boolean> => ({
  value,
  shown: "",
  help,
  parse: () => undefined,
  must: "",
});

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

type Flags = typeof flags;
export type Options = {
  readonly [K in keyof Flags]: Flags[K]["value"] extends boolean ? boolean : Flags[K]["value"];
};

/** `minRate` is `--min-rate`. */
const flagOf = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const names = Object.keys(flags) as (keyof Flags)[];

/** What the command line says and no more; `help` where it asks for that. */
export function parseCommandLine(args: readonly string[]): Partial<Options> | "help" {
  const options = Object.fromEntries(
    names.map((name) =>
      [flagOf(name), {
        type: typeof flags[name].value === "boolean" ? "boolean" as const : "string" as const,
      }] as const
    ),
  );
  let parsed: { values: Record<string, string | boolean | undefined> };
  try {
    parsed = parseArgs({
      args: [...args],
      options: { ...options, help: { type: "boolean" as const } },
      allowNegative: true,
    });
  } catch (error) {
    const message = error instanceof Error ? error.message.split(/\.\s/)[0]! : String(error);
    // A value that begins with a dash could be an option: Node says so, and not what the value must be.
    const name = names.find((name) => message.startsWith(`Option '--${flagOf(name)}`));
    if (name !== undefined && typeof flags[name].value !== "boolean") {
      throw new UsageError(
        `--${flagOf(name)} needs a value that is ${
          flags[name].must
        }; one that begins with a dash is written ` +
          `--${flagOf(name)}=VALUE.`,
      );
    }
    throw new UsageError(`${message}. \`--help\` lists the options.`);
  }
  const { help, ...values } = parsed.values;
  if (help) return "help";
  const said: Record<string, string | number | boolean> = {};
  for (const name of names) {
    const given = values[flagOf(name)];
    if (given === undefined) continue;
    const { parse, must } = flags[name];
    const value = typeof given === "boolean" ? given : parse(String(given));
    if (value === undefined) throw new UsageError(`--${flagOf(name)} must be ${must}, not "${given}".`);
    said[name] = value;
  }
  return said as Partial<Options>;
}

/** What is said, and the defaults for the rest; refused where it doesn't fit together. */
export function withDefaults(said: Partial<Options>): Options {
  const defaults = Object.fromEntries(names.map((name) => [name, flags[name].value])) as Options;
  const options = { ...defaults, ...said };
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

/** The text of `--help`. */
export function helpText(): string {
  const rows = names.map((name) => {
    const { shown, value, help } = flags[name];
    const fallback = value === "" || typeof value === "boolean" ? "" : ` (${JSON.stringify(value)})`;
    return [`--${flagOf(name)}${shown && ` ${shown}`}`, help + fallback] as const;
  });
  const width = Math.max(...rows.map(([flag]) => flag.length));
  return [
    "Trains a small GPT on characters and writes text with it.",
    "",
    "    deno task train [options]",
    "",
    ...rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`),
    "",
    "Ctrl-C saves a checkpoint and stops; a second Ctrl-C stops at once.",
  ].join("\n");
}
