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

import { compileGraph } from "../../compiler/compile.ts";
import { softwareTarget } from "../../compiler/target.ts";
import { TimingTrace } from "../../compiler/trace.ts";
import { adamW, trainStep } from "../../mod.ts";
import { gpt } from "../../examples/gpt.ts";

type Times = Readonly<Record<string, number>>;

/** One compile in this process: milliseconds by stage. */
function compileOnce(): Times {
  const trace = new TimingTrace();
  const options = { layers: 4, heads: 4, width: 128, context: 64, symbols: 96 };
  const net = trace.stage("trace", () => gpt(options).only("loss"));
  const step = trace.stage("gradient", () => trainStep(net, adamW({ rate: 1e-3 })));
  const graph = trace.stage("markers", () => step.graph);
  compileGraph(graph, { target: softwareTarget, sizes: { batch: 8 }, trace });
  const times = Object.fromEntries(trace.times);
  return { ...times, total: Object.values(times).reduce((a, b) => a + b, 0) };
}

async function inFreshProcess(): Promise<Times> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename!, "--once"],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("a process failed to compile the step");
  return JSON.parse(new TextDecoder().decode(stdout));
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

if (import.meta.main) {
  if (Deno.args.includes("--once")) {
    console.log(JSON.stringify(compileOnce()));
  } else {
    const runs: Times[] = [];
    for (let i = 0; i < 5; i++) runs.push(await inFreshProcess());
    const medians = Object.fromEntries(
      Object.keys(runs[0]!).map((stage) => [stage, Math.round(median(runs.map((r) => r[stage]!)))]),
    );
    if (Deno.args.includes("--json")) console.log(JSON.stringify({ runs, medians }));
    else for (const [stage, ms] of Object.entries(medians)) console.log(`${stage.padEnd(14)} ${ms} ms`);
  }
}
