/**
 * Compiles the GPT training step once in this process, and prints the milliseconds of each stage as JSON.
 * @module
 */

import { compileGraph } from "../../compiler/compile.ts";
import { softwareTarget } from "../../compiler/target.ts";
import { TimingTrace } from "../../compiler/trace.ts";
import { adamW, trainStep } from "../../mod.ts";
import { gpt } from "../../examples/gpt.ts";

/** One compile in this process: milliseconds by stage. */
function compileOnce(): Readonly<Record<string, number>> {
  const trace = new TimingTrace();
  const options = { layers: 4, heads: 4, width: 128, context: 64, symbols: 96 };
  const net = trace.stage("trace", () => gpt(options).only("loss"));
  const step = trace.stage("gradient", () => trainStep(net, adamW({ rate: 1e-3 })));
  const graph = trace.stage("markers", () => step.graph);
  compileGraph(graph, { target: softwareTarget, sizes: { batch: 8 }, trace });
  const times = Object.fromEntries(trace.times);
  return { ...times, total: Object.values(times).reduce((a, b) => a + b, 0) };
}

if (import.meta.main) console.log(JSON.stringify(compileOnce()));
