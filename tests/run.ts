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
import { cores, findSuites, type Suite } from "./support/suites.ts";

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
  const waiting = suite.processes.entries();
  // One at a time shows what it prints at once; several, each when it is done.
  const workers = Math.min(suite.processes.length, cores);
  const show = workers > 1 ? undefined : writeAll;
  await Promise.all(Array.from({ length: workers }, async () => {
    for (const [i, args] of waiting) {
      const title = `${suite.name}: deno test ${args.join(" ")}`;
      if (show) announce(title);
      const { output, counts: { problem, ...rest } } = await runTests(
        args,
        { minutes: PROCESS_MINUTES[suite.name], long, times, show },
      );
      if (!show) {
        announce(title);
        await writeAll(output);
      }
      if (problem !== null) console.log(problem);
      counts[i] = { ...rest, problem: problem && `${suite.name}, ${args.join(" ")}: ${problem}` };
    }
  }));
  return counts;
}

/** One `deno test` process, whose output is read for its summary, and shown as it comes where one says how. */
async function runTests(
  args: readonly string[],
  { minutes, long, times, show }: {
    readonly minutes: number;
    readonly long: boolean;
    readonly times: PipelineTimesFile;
    readonly show: ((text: string) => Promise<void>) | undefined;
  },
): Promise<{ readonly output: string; readonly counts: Counts }> {
  const more = long ? [...(args.includes("--") ? [] : ["--"]), "--long"] : [];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-check", ...args, ...more],
    env: { ...times.environment },
    stdin: "null",
    stdout: "piped",
    stderr: show ? "inherit" : "piped",
  }).spawn();
  // SIGKILL, because a process whose event loop is blocked by a shader hears nothing else.
  const stuck = setTimeout(() => child.kill("SIGKILL"), minutes * 60_000);
  let output = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true });
      output += text;
      await show?.(text);
    }
  };
  await Promise.all([read(child.stdout), ...show ? [] : [read(child.stderr)]]);
  const { code } = await child.status;
  clearTimeout(stuck);
  return { output, counts: readSummary(output, code) };
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
