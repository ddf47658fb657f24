/**
 * The command lines of the examples: one table says names, defaults, limits and help, and a mistake is answered by a
 * sentence.
 */

import { parseArgs } from "node:util";
import { WeftError } from "../mod.ts";
import { NoAdapterError } from "../runtime/adapter.ts";

/** A command line that can't be understood, said in one sentence. */
export class UsageError extends Error {}

export interface Flag<T> {
  readonly value: T;
  /** What stands for the value in the help. */
  readonly shown: string;
  readonly help: string;
  /** The value, or undefined where the text is none. */
  parse(text: string): T | undefined;
  /** What the value must be, for messages. */
  readonly must: string;
}

export const whole = (value: number, least: number, help: string): Flag<number> => ({
  value,
  shown: "N",
  help,
  parse: (text) =>
    /^\d+$/.test(text) && Number(text) >= least && Number.isSafeInteger(Number(text))
      ? Number(text)
      : undefined,
  must: `a whole number from ${least} up`,
});

export const real = (value: number, help: string, below = Infinity): Flag<number> => ({
  value,
  shown: "X",
  help,
  parse: (text) => text.trim() !== "" && Number(text) >= 0 && Number(text) < below ? Number(text) : undefined,
  must: below === Infinity ? "a number from 0 up" : `a number from 0 up to below ${below}`,
});

export const text = (value: string, shown: string, help: string): Flag<string> => ({
  value,
  shown,
  help,
  parse: (given) => given === "" ? undefined : given,
  must: "not empty",
});

export const oneOf = <T extends string>(value: T, choices: readonly T[], help: string): Flag<T> => ({
  value,
  shown: choices.join("|"),
  help,
  parse: (given) => choices.find((choice) => choice === given),
  must: `one of ${choices.join(", ")}`,
});

export const yes = (value: boolean, help: string): Flag<boolean> => ({
  value,
  shown: "",
  help,
  parse: () => undefined,
  must: "",
});

// deno-lint-ignore no-explicit-any -- each flag has a type of its own
type Flags = Readonly<Record<string, Flag<any>>>;
export type Values<F extends Flags> = {
  readonly [K in keyof F]: F[K]["value"] extends boolean ? boolean : F[K]["value"];
};

export interface CommandLine<F extends Flags> {
  readonly about: string;
  /** How the program is called, such as `deno task train`. */
  readonly call: string;
  readonly flags: F;
  /** Said after the options. */
  readonly after?: string;
}

/** `minRate` is `--min-rate`. */
const flagOf = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** What the command line says and no more; `help` where it asks for that. */
export function parseCommandLine<F extends Flags>(
  { flags }: CommandLine<F>,
  args: readonly string[],
): Partial<Values<F>> | "help" {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { value }]) =>
      [flagOf(name), { type: typeof value === "boolean" ? "boolean" as const : "string" as const }] as const
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
    const wrong = Object.entries(flags).find(([name, { value }]) =>
      typeof value !== "boolean" && message.startsWith(`Option '--${flagOf(name)}`)
    );
    if (wrong !== undefined) {
      const flag = `--${flagOf(wrong[0])}`;
      throw new UsageError(
        `${flag} needs a value that is ${
          wrong[1].must
        }; one that begins with a dash is written ${flag}=VALUE.`,
      );
    }
    throw new UsageError(`${message}. \`--help\` lists the options.`);
  }
  const { help, ...values } = parsed.values;
  if (help) return "help";
  const said: Record<string, string | number | boolean> = {};
  for (const [name, { parse, must }] of Object.entries(flags)) {
    const given = values[flagOf(name)];
    if (given === undefined) continue;
    const value = typeof given === "boolean" ? given : parse(String(given));
    if (value === undefined) throw new UsageError(`--${flagOf(name)} must be ${must}, not "${given}".`);
    said[name] = value;
  }
  return said as Partial<Values<F>>;
}

/** The values of a command line that says nothing. */
export const defaultsOf = <F extends Flags>({ flags }: CommandLine<F>): Values<F> =>
  Object.fromEntries(Object.entries(flags).map(([name, { value }]) => [name, value])) as Values<F>;

/** The text of `--help`. */
export function helpText<F extends Flags>({ about, call, flags, after }: CommandLine<F>): string {
  const rows = Object.entries(flags).map(([name, { shown, value, help }]) => {
    const fallback = value === "" || typeof value === "boolean" ? "" : ` (${JSON.stringify(value)})`;
    return [`--${flagOf(name)}${shown && ` ${shown}`}`, help + fallback] as const;
  });
  const width = Math.max(...rows.map(([flag]) => flag.length));
  return [
    about,
    "",
    `    ${call} [options]`,
    "",
    ...rows.map(([flag, help]) => `  ${flag.padEnd(width)}  ${help}`),
    ...after === undefined ? [] : ["", after],
  ].join("\n");
}

/** Runs a program, and gives its exit code: 0, 2 for a wrong call, 1 for what else can be said in a sentence. */
export async function runProgram<F extends Flags>(
  line: CommandLine<F>,
  args: readonly string[],
  run: (said: Partial<Values<F>>) => Promise<number>,
): Promise<number> {
  try {
    const said = parseCommandLine(line, args);
    if (said !== "help") return await run(said);
    console.log(helpText(line));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof WeftError || error instanceof NoAdapterError)) {
      throw error;
    }
    console.error(error.message);
    return error instanceof UsageError ? 2 : 1;
  }
}
