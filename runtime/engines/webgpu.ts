/**
 * The engine that computes with WebGPU.
 *
 * A run is one command encoder, one compute pass (more only around copies), one submit, and makes no buffer: what it
 * needs was made by `prepare`. A submit of its own costs 100 to 225 µs, a pass 15 µs, a dispatch 1 µs to encode and 7 to
 * submit (lavapipe), so nothing but reads ever adds one.
 * @module
 */

import type { AdapterDescription } from "../adapter.ts";
import type { Program } from "../../compiler/program/program.ts";
import { wgslOptionsOf } from "../../compiler/emit/wgsl_options.ts";
import type { Target } from "../../compiler/target.ts";
import {
  checkRange,
  type Clock,
  type Engine,
  type Memory,
  type MemoryUse,
  type Place,
  type Runner,
  type Transfer,
} from "../engine.ts";
import { turn } from "../turn.ts";
import { CompileAhead } from "./webgpu/compile_ahead.ts";
import { firstDispatch, type KernelText, mayDispatchFirst } from "./webgpu/first_dispatch.ts";
import type { Health } from "./webgpu/health.ts";
import { GpuMemory } from "./webgpu/memory.ts";
import { Pipelines } from "./webgpu/pipelines.ts";
import { prepare, type Prepared } from "./webgpu/prepare.ts";
import { ReadBack } from "./webgpu/read_back.ts";
import { timeWithFences, timeWithTimestamps } from "./webgpu/timing.ts";

/**
 * Work that may be queued before a run waits for it, where waiting is possible inside a call. Without a bound a loop
 * that never reads would fill the machine's memory with commands and fed data. Waiting costs one empty queue, some
 * 0.1 ms, so it is rare.
 */
const RUNS_IN_FLIGHT = 64;
const FED_BYTES_IN_FLIGHT = 64 * 2 ** 20;

/** Largest piece of a write; what is written waits in memory of its own for the next submit. */
const WRITE_BYTES = 16 * 2 ** 20;

export interface WebGpuEngineOptions {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  readonly target: Target;
  readonly health: Health;
  /** Whether `mapAsync` waits inside the call: the self-test's `readBackWithoutAwait`. */
  readonly blockingMap: boolean;
  /** Whether timestamps work: the self-test's `timestamps`. */
  readonly timestamps: boolean;
  /** Whether other threads compile a program's kernels too; they open the adapter that Deno itself prefers. */
  readonly compileAhead: boolean;
}

export class WebGpuEngine implements Engine {
  readonly kind = "webgpu";
  readonly clock: Clock;
  readonly #options: WebGpuEngineOptions;
  readonly #device: GPUDevice;
  readonly #health: Health;
  readonly #pipelines: Pipelines;
  readonly #readBack: ReadBack;
  readonly #memories = new Set<GpuMemory>();
  readonly #runners = new Set<WebGpuRunner>();
  #runsInFlight = 0;
  #bytesInFlight = 0;

  constructor(options: WebGpuEngineOptions) {
    this.#options = options;
    this.clock = options.timestamps ? "timestamps" : "fences";
    this.#device = options.device;
    this.#health = options.health;
    this.#health.watch(options.device, options.adapter.description);
    this.#pipelines = new Pipelines(options.device);
    this.#readBack = new ReadBack(options.device, options.health, options.blockingMap);
  }

  assertUsable(): void {
    this.#health.assert();
  }

  allocate(bytes: number, use: MemoryUse, label: string): Memory {
    this.assertUsable();
    const memory = GpuMemory.allocate(this.#device, bytes, use, label, (gone) => {
      // A read that was asked for before still gets its bytes.
      if (this.#memories.delete(gone) && this.#health.failure === undefined) this.#readBack.submit();
    });
    this.#memories.add(memory);
    return memory;
  }

  write(to: Place, data: Uint8Array<ArrayBuffer>): void {
    this.assertUsable();
    checkRange("a write", to, data.length);
    this.#readBack.submit();
    const { buffer } = gpu(to.memory);
    for (let at = 0; at < data.length; at += WRITE_BYTES) {
      const bytes = Math.min(WRITE_BYTES, data.length - at);
      this.#device.queue.writeBuffer(buffer, to.offset + at, data, at, bytes);
      this.#bytesInFlight += bytes;
      if (bytes === WRITE_BYTES) this.#device.queue.submit([]);
      if (this.#bytesInFlight > FED_BYTES_IN_FLIGHT) this.#block();
    }
  }

  copy(transfer: Transfer): void {
    this.assertUsable();
    this.#readBack.submit();
    const encoder = this.#device.createCommandEncoder({ label: "copy" });
    encodeTransfers(encoder, [transfer]);
    this.#device.queue.submit([encoder.finish()]);
  }

  read({ memory, offset }: Place, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    this.assertUsable();
    checkRange("a read", { memory, offset }, bytes);
    return this.#readBack.request(gpu(memory), offset, bytes);
  }

  async load(program: Program, arenas: readonly Memory[]): Promise<Runner> {
    this.assertUsable();
    const options = wgslOptionsOf(this.#options.target);
    const compileAhead = (kernels: readonly KernelText[]) =>
      this.#options.compileAhead ? new CompileAhead(kernels, this.#options.adapter) : undefined;
    const prepared = await prepare(
      this.#device,
      this.#pipelines,
      program,
      arenas.map(gpu),
      options,
      compileAhead,
    );
    const runner = new WebGpuRunner(prepared, {
      device: this.#device,
      beforeSubmit: () => {
        this.assertUsable();
        this.#readBack.submit();
      },
      afterSubmit: () => {
        if (++this.#runsInFlight >= RUNS_IN_FLIGHT || this.#bytesInFlight > FED_BYTES_IN_FLIGHT) {
          this.#block();
        }
      },
      time: (prepared, encodeCopies) =>
        this.#options.timestamps
          ? timeWithTimestamps(this.#device, prepared, encodeCopies)
          : timeWithFences(this.#device, prepared, encodeCopies, () => this.#fence()),
      forget: (gone) => this.#runners.delete(gone),
    });
    this.#runners.add(runner);
    this.assertUsable();
    return runner;
  }

  async idle(): Promise<void> {
    await this.#fence();
    await turn(); // errors are heard one turn later
    this.assertUsable();
  }

  dispose(): void {
    this.#health.dispose();
    this.#readBack.dispose();
    for (const runner of [...this.#runners]) runner.dispose();
    for (const memory of [...this.#memories]) memory.destroy();
    this.#device.destroy();
  }

  /** Waits for all that was submitted: inside the call where that can be, else by a promise. */
  async #fence(): Promise<void> {
    if (this.#health.failure !== undefined) return;
    if (this.#options.blockingMap) this.#block();
    else await this.#device.queue.onSubmittedWorkDone();
  }

  #block(): void {
    this.#readBack.block();
    this.#runsInFlight = 0;
    this.#bytesInFlight = 0;
  }
}

interface RunnerContext {
  readonly device: GPUDevice;
  beforeSubmit(): void;
  afterSubmit(): void;
  time(prepared: Prepared, encodeCopies: typeof encodeSegment): Promise<readonly number[]>;
  forget(runner: WebGpuRunner): void;
}

class WebGpuRunner implements Runner {
  readonly #prepared: Prepared;
  readonly #context: RunnerContext;
  #hasRun = false;

  constructor(prepared: Prepared, context: RunnerContext) {
    this.#prepared = prepared;
    this.#context = context;
  }

  async warmUp(): Promise<void> {
    if (this.#hasRun) return;
    for (const { text, compiled } of this.#prepared.kernels) {
      if (!mayDispatchFirst(text)) continue;
      this.#context.beforeSubmit();
      await firstDispatch(this.#context.device, compiled, text);
      await turn(); // compiling blocks
    }
    this.#endCompiling();
  }

  run(before: readonly Transfer[], after: readonly Transfer[]): void {
    const { device } = this.#context;
    if (this.#hasRun) this.#endCompiling(); // the first run has compiled all
    this.#hasRun = true;
    this.#context.beforeSubmit();
    const encoder = device.createCommandEncoder();
    encodeTransfers(encoder, before);
    for (const segment of this.#prepared.segments) encodeSegment(encoder, segment);
    encodeTransfers(encoder, after);
    device.queue.submit([encoder.finish()]);
    this.#context.afterSubmit();
  }

  async time(before: readonly Transfer[], after: readonly Transfer[]): Promise<readonly number[]> {
    const { device } = this.#context;
    const transfer = (transfers: readonly Transfer[]) => {
      const encoder = device.createCommandEncoder();
      encodeTransfers(encoder, transfers);
      device.queue.submit([encoder.finish()]);
    };
    this.#endCompiling();
    this.#context.beforeSubmit();
    transfer(before);
    const times = await this.#context.time(this.#prepared, encodeSegment);
    transfer(after);
    return times;
  }

  dispose(): void {
    this.#endCompiling();
    for (const buffer of this.#prepared.buffers) buffer.destroy();
    this.#context.forget(this);
  }

  #endCompiling(): void {
    this.#prepared.ahead?.[Symbol.dispose]();
  }
}

function encodeSegment(encoder: GPUCommandEncoder, segment: Prepared["segments"][number]): void {
  if (segment.kind === "copies") {
    for (const { from, fromOffset, to, toOffset, bytes } of segment.copies) {
      encoder.copyBufferToBuffer(from, fromOffset, to, toOffset, bytes);
    }
    return;
  }
  const pass = encoder.beginComputePass();
  let current: GPUComputePipeline | undefined;
  for (const { pipeline, bindGroup, x, y } of segment.dispatches) {
    if (pipeline !== current) pass.setPipeline(current = pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(x, y);
  }
  pass.end();
}

function encodeTransfers(encoder: GPUCommandEncoder, transfers: readonly Transfer[]): void {
  for (const { from, to, bytes } of transfers) {
    encoder.copyBufferToBuffer(gpu(from.memory).buffer, from.offset, gpu(to.memory).buffer, to.offset, bytes);
  }
}

const gpu = (memory: Memory): GpuMemory => memory as GpuMemory;
