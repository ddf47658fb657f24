/**
 * How long the GPT training step takes to compile, in fresh processes and without the driver's part.
 *
 *     deno run -A tests/bench/compile_time.ts [--json]
 *
 * The step is that of four layers, 128 wide, 4 heads, 8 × 64 tokens of 96 symbols, with AdamW. Five processes trace it,
 * differentiate it and compile it for the software target; the median of their totals is what counts.
 *
 * @module
 */

import { benchmarkInRounds, runBenchmark } from "./command.ts";
import { median } from "./interleave.ts";

type Times = Readonly<Record<string, number>>;

async function inFreshProcess(): Promise<Times> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("compile_once.ts", import.meta.url).pathname],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("a process failed to compile the step");
  return JSON.parse(new TextDecoder().decode(stdout));
}

interface Flags {
  readonly rounds: number;
  readonly json: boolean;
}

async function show({ rounds, json }: Flags): Promise<void> {
  const runs: Times[] = [];
  for (let i = 0; i < rounds; i++) runs.push(await inFreshProcess());
  const medians = Object.fromEntries(
    Object.keys(runs[0]!).map((stage) => [stage, Math.round(median(runs.map((r) => r[stage]!)))]),
  );
  if (json) console.log(JSON.stringify({ runs, medians }));
  else for (const [stage, ms] of Object.entries(medians)) console.log(`${stage.padEnd(14)} ${ms} ms`);
}

if (import.meta.main) {
  await runBenchmark(
    benchmarkInRounds({
      call: "deno run -A tests/bench/compile_time.ts",
      measures:
        "Times the stages of compiling the GPT training step, in processes of its own, without the driver's part.",
      takes: "fifteen seconds; it needs no device.",
    }, 5).action(show),
  );
}
