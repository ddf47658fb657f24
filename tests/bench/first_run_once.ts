/**
 * One first run of a training step, everything in this process from the start of the program on, as a JSON line:
 * `first_run.ts` starts it with a cache of the driver's that it chose.
 * @module
 */

import { compileGraph } from "../../compiler/compile.ts";
import { TimingTrace } from "../../compiler/trace.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import { openDevice } from "../../mod.ts";
import { load } from "../../runtime/executable.ts";
import type { FirstRun, ProgramName } from "./first_run.ts";
import { median } from "./interleave.ts";
import { gptStep, mlpStep } from "./programs.ts";

const programs = { mlp: mlpStep, gpt: gptStep } as const;

async function once(name: ProgramName): Promise<FirstRun> {
  const stages: Record<string, number> = { "start and imports": performance.now() };
  const timed = async <T>(stage: string, run: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await run();
    stages[stage] = performance.now() - start;
    return result;
  };
  using device = await timed("open the device", () => openDevice({ device: "webgpu" }));
  const trace = new TimingTrace();
  const { graph, sizes } = programs[name];
  const traced = await timed("trace and gradient", graph);
  const { program } = compileGraph(traced, { target: device.target, sizes, trace });
  for (const [stage, ms] of trace.times) stages[stage] = ms;
  using executable = await timed("memory and pipelines", () => load(program, device));
  const feeds: Record<string, StoredArray> = {};
  for (const { name, dtype, shape } of program.inputs) {
    const size = shape.reduce((n, d) => n * d, 1);
    feeds[name] = dtype === "i32"
      ? new Int32Array(size)
      : Float32Array.from({ length: size }, (_, i) => Math.sin(i));
  }
  const run = async () => {
    executable.run(feeds);
    await executable.idle();
  };
  await timed("first run (the driver compiles)", run);
  await timed("second run", run);
  const dispatches = program.steps.filter((step) => step.kind === "dispatch").length;
  const host: number[] = [];
  for (let i = 0; i < 30; i++) {
    const start = performance.now();
    executable.run(feeds);
    host.push((performance.now() - start) / dispatches * 1000);
    await executable.idle();
  }
  return { stages, dispatches, host: median(host) };
}

console.log(JSON.stringify(await once(Deno.args[0] as ProgramName)));
