/**
 * What each pipeline of a test run cost: WebGPU's own compiler, and the driver's, which works when a pipeline first runs.
 * On a software adapter that is most of what a suite takes, so a kernel that became slow to compile must show.
 *
 * A suite is several processes; each adds lines to one file, whose path they are told by the environment.
 * @module
 */

import { join } from "node:path";

const VARIABLE = "WEFT_PIPELINE_TIMES";

export interface PipelineTime {
  /** Which kernel of which test. */
  readonly what: string;
  /** Making the module and the pipeline. */
  readonly made: number;
  /** The first run, in which the driver compiles. */
  readonly ran: number;
}

/** Where the processes of a test run leave their times. */
export interface PipelineTimesFile extends Disposable {
  /** What a process that leaves times has to have in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  read(): PipelineTime[];
}

export function pipelineTimesFile(): PipelineTimesFile {
  const folder = Deno.makeTempDirSync({ prefix: "weft-times-" });
  const path = join(folder, "pipelines.jsonl");
  Deno.writeTextFileSync(path, "");
  return {
    environment: { [VARIABLE]: path },
    read: () =>
      Deno.readTextFileSync(path).split("\n").filter((line) => line).map((line) => JSON.parse(line)),
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}

/** Leaves times in the run's file; without one, as in a `deno test` by hand, nothing happens. */
export function leavePipelineTimes(times: readonly PipelineTime[]): void {
  const path = Deno.env.get(VARIABLE);
  if (path === undefined || times.length === 0) return;
  Deno.writeTextFileSync(path, times.map((time) => JSON.stringify(time) + "\n").join(""), { append: true });
}

/**
 * The slowest pipelines as lines of text, and what all took.
 *
 * @example
 * ```ts
 * import { slowestPipelines } from "./pipeline_times.ts";
 *
 * console.log(slowestPipelines([{ what: "softmax", made: 12, ran: 140 }]));
 * ```
 */
export function slowestPipelines(times: readonly PipelineTime[], count = 20): string {
  const sum = ({ made, ran }: PipelineTime) => made + ran;
  const slowest = times.toSorted((a, b) => sum(b) - sum(a)).slice(0, count);
  const cell = (ms: number) => ms.toFixed(0).padStart(7);
  const total = times.reduce((ms, time) => ms + sum(time), 0);
  return [
    `The slowest of ${times.length} pipelines, which took ${(total / 1000).toFixed(1)} s, in ms:`,
    "   made first run",
    ...slowest.map(({ what, made, ran }) => `${cell(made)} ${cell(ran)}   ${what}`),
  ].join("\n");
}
