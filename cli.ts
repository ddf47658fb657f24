/**
 * `weft`: the command line.
 *
 *     deno run -A cli.ts build model.ts --export net --size batch=1 --out dist
 *     deno run -A cli.ts inspect dist
 *     deno run -A cli.ts run dist --input x=x.npy
 * @module
 */

import { Command } from "commander";
import config from "./deno.json" with { type: "json" };
import { BundleError } from "./compiler/bundle/loader/public.ts";
import { WeftError } from "./compiler/errors.ts";
import { buildCommand } from "./runtime/cli/build.ts";
import { inspectCommand } from "./runtime/cli/inspect.ts";
import { runCommand } from "./runtime/cli/run.ts";

if (import.meta.main) {
  const weft = new Command("weft").description("Compile typed graphs to fused WGSL").version(config.version);
  for (const command of [buildCommand(), inspectCommand(), runCommand()]) weft.addCommand(command);
  try {
    await weft.parseAsync(Deno.args, { from: "user" });
  } catch (error) {
    // A user's mistake is a sentence; a stack belongs to mistakes of Weft's own.
    if (!(error instanceof WeftError || error instanceof BundleError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}
