/**
 * The face that the scripts of this folder have in common: `--help` says what is measured and how long that takes, and a
 * wrong call is answered by a sentence and exit code 2. What measures is imported after that, by `action`.
 * @module
 */

import { Command, CommanderError, Help, type Option } from "commander";
import { whole } from "../../runtime/cli/numbers.ts";
import { UsageError } from "../../runtime/cli/usage_error.ts";

export interface About {
  /** How the script is called, such as `deno task bench`. */
  readonly call: string;
  readonly measures: string;
  /** How long that takes, and where. */
  readonly takes: string;
}

/** A script's command, which has no option yet but `--json`. */
export function benchmark({ call, measures, takes }: About): Command {
  return new Command(call)
    .description(`${measures}\n\nThat takes ${takes}`)
    .option("--json", "print JSON, for other programs", false)
    .configureHelp({ optionDescription });
}

/** A switch is off where it is not given, which needs no words. */
const optionDescription = (option: Option): string =>
  option.defaultValue === false ? option.description : new Help().optionDescription(option);

/** The same with `--rounds N`. */
export const benchmarkInRounds = (about: About, usual: number): Command =>
  benchmark(about).option("--rounds <number>", "how often each is timed; medians are shown", whole, usual);

/** Reads the process's arguments and does what they ask for; the process ends here where they are wrong. */
export async function runBenchmark(command: Command): Promise<void> {
  command.exitOverride().showHelpAfterError("(--help tells what there is)");
  try {
    await command.parseAsync(Deno.args, { from: "user" });
  } catch (error) {
    // Commander has said it already.
    if (error instanceof CommanderError) Deno.exit(error.exitCode === 0 ? 0 : 2);
    if (!(error instanceof UsageError)) throw error;
    console.error(`error: ${error.message}\n(--help tells what there is)`);
    Deno.exit(2);
  }
}

/**
 * Those of `all` whose names contain one of the parts, or all of them where no part is given.
 *
 * @throws UsageError where no name contains a part.
 */
export function named<T extends { readonly name: string }>(
  parts: readonly string[],
  all: readonly T[],
  what = "workload",
): readonly T[] {
  const unknown = parts.find((part) => !all.some(({ name }) => name.includes(part)));
  if (unknown !== undefined) {
    throw new UsageError(
      `no ${what}'s name has "${unknown}" in it; there are ${all.map(({ name }) => `"${name}"`).join(", ")}`,
    );
  }
  return parts.length === 0 ? all : all.filter(({ name }) => parts.some((part) => name.includes(part)));
}
