/**
 * Runs compiled cases on the machine's adapter and compares: many to a submit, with one wait, every kernel judged by Tint
 * before the driver sees it, and every pipeline timed.
 * @module
 */

import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import { type Target, testTarget } from "../../compiler/target.ts";
import { type Device, openDevice } from "../../runtime/device.ts";
import { type Executable, load } from "../../runtime/executable.ts";
import { verifyKernels, type Way } from "./check_cases.ts";
import { compileCase, complaintOf, type SampleCase } from "./compile_samples.ts";
import { joinPrograms } from "../../compiler/program/join_programs.ts";
import { leavePipelineTimes, type PipelineTime } from "./pipeline_times.ts";
import { stored } from "./stored.ts";
import { timedGpu } from "./timed_gpu.ts";
import { openTint, type Tint } from "./tint.ts";

/** A case and what to compile it for. */
export type Run = readonly [sample: SampleCase, way: Way];

export class GpuChecker implements Disposable {
  readonly #device: Device;
  readonly #tint: Tint;
  /** WGSL that Tint accepts. */
  readonly #accepted = new Set<string>();
  readonly #made: Map<string, number>;
  readonly #counts = { cases: 0, dispatches: 0, results: 0, dropped: 0 };

  private constructor(device: Device, tint: Tint, made: Map<string, number>) {
    this.#device = device;
    this.#tint = tint;
    this.#made = made;
  }

  static async open(): Promise<GpuChecker> {
    const made = new Map<string, number>();
    const gpu = timedGpu(navigator.gpu, (label, ms) => made.set(label, (made.get(label) ?? 0) + ms));
    const device = await openDevice({ device: "webgpu", gpu });
    return new GpuChecker(device, await openTint(), made);
  }

  /** A target as the adapter needs it: its features and quirks; its limits too, or the target's own. */
  target(base: Target = testTarget, limits: "own" | "adapter" = "adapter"): Target {
    const { features, builtins, quirks, limits: adapter } = this.#device.target;
    return limits === "own"
      ? { ...base, features, builtins, quirks, name: `${base.name}, default limits` }
      : { ...base, features, builtins, quirks, limits: adapter, name: `${base.name}, adapter's limits` };
  }

  /** Throws where a case gives another result than its references, or Tint refuses a kernel; tells all such cases. */
  async check(runs: readonly Run[]): Promise<void> {
    const named = runs.map(([sample, { target, policy, arithmetic }], i) => {
      const { program } = compileCase(sample, { target, policy, arithmetic });
      verifyKernels(program, target);
      return [`${sample.op} ${i} (${target.name}, policy ${policy.name})`, program] as const;
    });
    for (const [i, [name, { kernels }]] of named.entries()) {
      for (const kernel of kernels) {
        const complaint = await this.#complaint(kernel);
        if (complaint === undefined) continue;
        throw new Error(`Tint refuses a kernel of ${name}: ${complaint}\n${runs[i]![0].text}`);
      }
    }
    const program = joinPrograms(named);
    using executable = await load(program, this.#device);
    const feeds = Object.fromEntries(runs.flatMap(([{ feeds }], i) => {
      const slots = program.inputs.filter(({ name }) => belongs(name, i));
      return slots.map(({ name, dtype }) => [name, stored(dtype, feeds[ownName(name)]!)]);
    }));
    // The first run is the one in which the driver compiles; it also leaves memory in which nothing is 0 by luck.
    const rows = await executable.profile(feeds);
    leavePipelineTimes(rows.flatMap(({ label, ms }): PipelineTime[] => {
      const made = this.#made.get(label);
      return made === undefined ? [] : [{ what: label, made, ran: ms }];
    }));
    this.#made.clear();
    for (const { name, dtype } of program.state) {
      executable.state.write(name, stored(dtype, runs[Number.parseInt(name)]![0].states![ownName(name)]!));
    }
    const results = await resultsOf(executable, feeds, runs.length);
    this.#counts.dispatches += rows.length;
    const complaints = runs.flatMap(([sample, { target, policy }], i) => {
      this.#counts.cases++;
      for (const { dropped } of Object.values(sample.expectedOnDevice())) {
        this.#counts.results++;
        if (dropped) this.#counts.dropped++;
      }
      const complaint = complaintOf(sample, results[i]!, "device");
      return complaint === undefined ? [] : [`${complaint} (${target.name}, policy ${policy.name})`];
    });
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
  }

  /** What was checked, as a line of text; throws where too little can be said of too much (SEMANTICS §10). */
  summary(): string {
    const { cases, dispatches, results, dropped } = this.#counts;
    if (results === 0 || dropped > 0.02 * results) {
      throw new Error(`${dropped} of ${results} results are dropped`);
    }
    return `${cases} runs of ${dispatches} dispatches with ${this.#accepted.size} distinct kernels, each accepted by ` +
      `Tint; ${results} results, ${dropped} undecidable`;
  }

  [Symbol.dispose](): void {
    this.#tint[Symbol.dispose]();
    this.#device.dispose();
  }

  async #complaint(kernel: Parameters<typeof emitWgsl>[0]): Promise<string | undefined> {
    const { features, broadcast, quirks: { loopBound } } = this.#device.target;
    const wgsl = emitWgsl(kernel, { features, broadcast, loopBound });
    if (this.#accepted.has(wgsl)) return undefined;
    const complaint = await this.#tint.complaint(wgsl);
    if (complaint === undefined) this.#accepted.add(wgsl);
    return complaint && `${complaint}\n${wgsl}`;
  }
}

const belongs = (name: string, run: number): boolean => name.startsWith(`${run}:`);
const ownName = (name: string): string => name.slice(name.indexOf(":") + 1);

/** Outputs of each program that was joined, and its states afterwards as `state:path`; all are read at once. */
async function resultsOf(
  executable: Executable,
  feeds: Readonly<Record<string, StoredArray>>,
  count: number,
): Promise<Record<string, StoredArray>[]> {
  const results = Array.from({ length: count }, (): Record<string, StoredArray> => ({}));
  const outputs = Object.entries(executable.run(feeds)).map(async ([name, tensor]) => {
    results[Number.parseInt(name)]![ownName(name)] = await tensor.read();
  });
  const states = executable.state.names.map(async (name) => {
    results[Number.parseInt(name)]![`state:${ownName(name)}`] = await executable.state.read(name);
  });
  await Promise.all([...outputs, ...states]);
  return results;
}
