/**
 * Runs the project's tests, doing all set-up that they need, and ends with one line: `N passed, N failed`.
 *
 *     deno task test                 formatting, lint, types, then the suites unit, whole, gpu and doc
 *     deno task test --long          the same and the suite long
 *     deno task test --only unit     one suite and nothing else
 *     deno task test --no-gpu        without the suites that need a WebGPU adapter
 *
 * Suites run as processes of their own, because a mistake in a kernel can abort the process it runs in, and a report
 * of that failure is what a test run is for.
 * @module
 */

import { parseArgs, styleText } from "node:util";
import { ensureAdapter, type Readiness } from "../runtime/setup/ensure_adapter.ts";
import { type PipelineTimesFile, pipelineTimesFile, slowestPipelines } from "./support/pipeline_times.ts";
import { addCounts, type Counts, failure, readSummary } from "./support/summary.ts";
import { findSuites, type Suite } from "./support/suites.ts";

/** Code that neither formats nor type-checks is not worth testing further, but its tests still tell something. */
const STATIC_CHECKS = [["fmt", "--check"], ["lint"], ["check", "--doc", ".", "README.md"]];

/** A shader that never ends blocks its process for good; nothing that isn't stuck takes this long. */
const PROCESS_MINUTES = { unit: 10, whole: 20, gpu: 20, doc: 10, long: 60 };

interface Options {
  readonly only?: Suite["name"];
  readonly long: boolean;
  readonly gpu: boolean;
}

async function main(options: Options): Promise<Counts> {
  const suites = findSuites().filter(({ name, needsAdapter }) =>
    options.only === undefined
      ? (name !== "long" || options.long) && (options.gpu || !needsAdapter)
      : name === options.only
  );
  const counts: Counts[] = [];
  if (options.only === undefined) {
    for (const check of STATIC_CHECKS) {
      announce(`deno ${check.join(" ")}`);
      if (await runDeno(check) !== 0) counts.push(failure(`deno ${check.join(" ")} fails.`));
    }
  }
  const needed = suites.some(({ needsAdapter }) => needsAdapter);
  const readiness: Readiness = needed
    ? await ensureAdapter()
    : { ready: false, because: "No suite needs one." };
  using times = pipelineTimesFile();
  for (const suite of suites) counts.push(...await runSuite(suite, readiness, options.long, times));
  const pipelines = times.read();
  if (pipelines.length > 0) console.log(`\n${slowestPipelines(pipelines)}`);
  return addCounts(counts);
}

async function runSuite(
  suite: Suite,
  readiness: Readiness,
  long: boolean,
  times: PipelineTimesFile,
): Promise<Counts[]> {
  if (suite.needsAdapter && !readiness.ready) {
    return [failure(`The suite ${suite.name} needs a WebGPU adapter. ${readiness.because}`)];
  }
  if (suite.processes.length === 0) return [failure(`The suite ${suite.name} has no test file.`)];
  const counts: Counts[] = [];
  for (const args of suite.processes) {
    announce(`${suite.name}: deno test ${args.join(" ")}`);
    const { problem, ...rest } = await runTests(args, PROCESS_MINUTES[suite.name], long, times);
    if (problem !== null) console.log(problem);
    counts.push({ ...rest, problem: problem && `${suite.name}, ${args.join(" ")}: ${problem}` });
  }
  return counts;
}

/** One `deno test` process, whose output is shown as it comes and read for its summary. */
async function runTests(
  args: readonly string[],
  minutes: number,
  long: boolean,
  times: PipelineTimesFile,
): Promise<Counts> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-check", ...args, ...(long ? ["--", "--long"] : [])],
    env: { ...times.environment },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  // SIGKILL, because a process whose event loop is blocked by a shader hears nothing else.
  const stuck = setTimeout(() => child.kill("SIGKILL"), minutes * 60_000);
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of child.stdout) {
    const text = decoder.decode(chunk, { stream: true });
    output += text;
    await writeAll(text);
  }
  const { code } = await child.status;
  clearTimeout(stuck);
  return readSummary(output, code);
}

async function runDeno(args: readonly string[]): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), { args: [...args], stdin: "null" }).spawn().status;
  return code;
}

async function writeAll(text: string): Promise<void> {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(await Deno.stdout.write(bytes));
}

function announce(what: string): void {
  console.log(styleText("bold", `\n# ${what}`));
}

function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      only: { type: "string" },
      long: { type: "boolean", default: false },
      gpu: { type: "boolean", default: true },
    },
  });
  const { only, long, gpu } = values;
  if (only === undefined) return { long, gpu };
  const names = findSuites().map(({ name }) => name);
  const name = names.find((name) => name === only);
  if (name === undefined) throw new Error(`There is no suite ${only}; there are ${names.join(", ")}.`);
  return { only: name, long: long || name === "long", gpu };
}

if (import.meta.main) {
  Deno.chdir(new URL("..", import.meta.url));
  const { passed, failed, ignored, problem } = await main(parseOptions(Deno.args));
  console.log();
  if (ignored > 0) console.log(`${ignored} ignored`);
  if (problem !== null) console.log(problem);
  console.log(`${passed} passed, ${failed} failed`);
  Deno.exit(failed === 0 && passed > 0 ? 0 : 1);
}
