/**
 * `weft`: what can be done with a model's file from a shell. Each command stands in a file of its own, `runtime/cli/`.
 *
 *     deno run -A cli.ts build model.ts --size batch=1 --out dist
 *     deno run -A cli.ts tune model.ts --size batch=32
 *
 * @module
 */

import { Command, CommanderError } from "commander";
import { WeftError } from "./compiler/errors.ts";
import { NoAdapterError } from "./runtime/adapter.ts";
import config from "./deno.json" with { type: "json" };
import { BundleError } from "./compiler/bundle/loader/public.ts";
import { ablateCommand } from "./runtime/cli/ablate.ts";
import { bisectCommand } from "./runtime/cli/bisect.ts";
import { buildCommand } from "./runtime/cli/build.ts";
import { costmodelCommand } from "./runtime/cli/costmodel.ts";
import { explainCommand } from "./runtime/cli/explain.ts";
import { fuzzCommand } from "./runtime/cli/fuzz.ts";
import { inspectCommand } from "./runtime/cli/inspect.ts";
import { profileCommand } from "./runtime/cli/profile.ts";
import { lockCommand } from "./runtime/cli/lock.ts";
import { replayCommand } from "./runtime/cli/replay.ts";
import { reportCommand } from "./runtime/cli/report.ts";
import { runCommand } from "./runtime/cli/run.ts";
import { tuneCommand } from "./runtime/cli/tune.ts";
import { UsageError } from "./runtime/cli/usage_error.ts";
import { verifyCommand } from "./runtime/cli/verify.ts";

const exitCodes = `
What a command ends with:
  0    it did what was asked, and found no difference
  1    it found a difference (verify, bisect, fuzz, replay, inspect), or what was asked can't be done
  2    it was called wrongly: an option, a name, a size, or a file that is not there or of another kind
  130  it was interrupted; what it had is kept where it says so`;

/** Runs a command; the process's exit code, as `--help` tells them. */
export async function main(args: readonly string[]): Promise<number> {
  const program = new Command("weft")
    .description("Models as typed graphs, compiled to fused WGSL kernels.")
    .version(config.version)
    .exitOverride()
    .showHelpAfterError("(--help tells what there is)")
    .addHelpText("after", exitCodes);
  const commands = [
    ...[buildCommand(), inspectCommand(), runCommand(), explainCommand(), reportCommand(), tuneCommand()],
    ...[profileCommand(), costmodelCommand(), ablateCommand()],
    ...[lockCommand(), replayCommand(), verifyCommand(), bisectCommand(), fuzzCommand()],
  ];
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  try {
    await program.parseAsync([...args], { from: "user" });
    return Deno.exitCode;
  } catch (error) {
    // Commander has said it already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (
      error instanceof UsageError || error instanceof WeftError || error instanceof BundleError ||
      error instanceof NoAdapterError
    ) {
      console.error(`weft: ${error.message}`);
      return error instanceof UsageError ? 2 : 1;
    }
    throw error;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
