/**
 * Sets the machine up, then runs a program with the environment that WebGPU needs.
 *
 *     deno run -A runtime/setup/main.ts                                  sets up and says what it found
 *     deno run -A runtime/setup/main.ts examples/train_gpt.ts --steps 9  sets up, then runs the example
 *
 * @module
 */

import { printProfile } from "../self_test.ts";
import { ensureAdapter } from "./ensure_adapter.ts";

async function main(args: readonly string[]): Promise<number> {
  const readiness = await ensureAdapter();
  if (!readiness.ready) {
    console.error(readiness.because);
    return 1;
  }
  if (args.length === 0) {
    console.log(`${readiness.adapter}\n${printProfile(readiness.profile)}`);
    return 0;
  }
  const child = new Deno.Command(Deno.execPath(), { args: ["run", "-A", ...args] }).spawn();
  // The child decides what a signal means (a training run may write a checkpoint); this process only waits. Ctrl-C
  // reaches both by itself.
  Deno.addSignalListener("SIGINT", () => {});
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  return (await child.status).code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
