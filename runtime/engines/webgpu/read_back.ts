/**
 * Reading bytes back from a WebGPU device, many requests at a time.
 *
 *     request      remembered, with nothing encoded yet
 *     submit       copies of all remembered ranges into staging memory, one submit; must happen before anything that
 *                  could change the ranges, so that a request sees the bytes of its own moment
 *     collect      one turn of the event loop after the first request: one map for all of them
 *
 * Deno's `mapAsync` waits for the GPU inside the call, and its promise then sleeps 10 ms. Where the self-test found it
 * so, nobody awaits the promise and the mapped range is taken at once: 0.1 ms. It has to be a buffer that was mapped
 * before (else the process aborts), which `mappedAtCreation` sees to. On any other engine the promise is awaited.
 * @module
 */

import { RunError } from "../../../compiler/errors.ts";
import { turn } from "../../turn.ts";
import type { Health } from "./health.ts";
import type { GpuMemory } from "./memory.ts";

/** Requests are packed into staging buffers up to this size; a larger one gets a buffer of its own, once. */
const PACKED_BYTES = 16 * 2 ** 20;
const SMALLEST_BYTES = 64 * 2 ** 10;
/** Staging buffers that are kept for the next reads. */
const KEPT_BUFFERS = 4;

interface Request {
  readonly from: GpuMemory;
  readonly offset: number;
  readonly bytes: number;
  resolve(bytes: Uint8Array<ArrayBuffer>): void;
  reject(error: unknown): void;
}

interface Batch {
  readonly staging: GPUBuffer;
  readonly bytes: number;
  readonly parts: readonly { readonly request: Request; readonly at: number }[];
}

/** Requests that share a staging buffer, each at a multiple of 8. */
function* packed(requests: readonly Request[]): Generator<Batch["parts"]> {
  let parts: { request: Request; at: number }[] = [];
  let end = 0;
  for (const request of requests) {
    if (parts.length > 0 && end + request.bytes > PACKED_BYTES) {
      yield parts;
      parts = [];
      end = 0;
    }
    parts.push({ request, at: end });
    end += Math.ceil(request.bytes / 8) * 8;
  }
  if (parts.length > 0) yield parts;
}

export class ReadBack {
  readonly #device: GPUDevice;
  readonly #health: Health;
  /** Whether `mapAsync` does its work inside the call. */
  readonly #blocking: boolean;
  #requests: Request[] = [];
  #batches: Batch[] = [];
  #scheduled = false;
  readonly #idle: GPUBuffer[] = [];
  readonly #busy = new Set<GPUBuffer>();

  constructor(device: GPUDevice, health: Health, blocking: boolean) {
    this.#device = device;
    this.#health = health;
    this.#blocking = blocking;
  }

  request(from: GpuMemory, offset: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      this.#requests.push({ from, offset, bytes, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      turn().then(() => this.#collect());
    });
  }

  /** Copies what was requested so far. Costs nothing where nothing was; what fails, fails the reads and not the caller. */
  submit(): void {
    if (this.#requests.length === 0) return;
    const requests = this.#requests;
    this.#requests = [];
    const batches: Batch[] = [];
    try {
      const encoder = this.#device.createCommandEncoder({ label: "read back" });
      for (const parts of packed(requests)) {
        const last = parts.at(-1)!;
        const bytes = last.at + last.request.bytes;
        const staging = this.#take(bytes);
        batches.push({ staging, bytes, parts });
        for (const { request: { from, offset, bytes }, at } of parts) {
          encoder.copyBufferToBuffer(from.buffer, offset, staging, at, bytes);
        }
      }
      this.#device.queue.submit([encoder.finish()]);
      this.#batches.push(...batches);
    } catch (error) {
      for (const { staging } of batches) this.#give(staging);
      const total = requests.reduce((sum, { bytes }) => sum + bytes, 0);
      const what =
        `The device could not read back ${total} bytes; perhaps there is no room for them. Read less at a time.`;
      for (const request of requests) request.reject(this.#reason(new RunError(what, { cause: error })));
    }
  }

  /** Waits for all that was submitted: inside the call where the engine's `mapAsync` does, else not at all. */
  block(): void {
    if (!this.#blocking) return;
    const staging = this.#take(4);
    staging.mapAsync(GPUMapMode.READ, 0, 4).catch(() => {}); // lost devices are the health's affair
    staging.unmap();
    this.#give(staging);
  }

  dispose(): void {
    for (const buffer of [...this.#idle, ...this.#busy]) buffer.destroy();
  }

  async #collect(): Promise<void> {
    this.#scheduled = false;
    if (this.#health.failure === undefined) this.submit();
    const unsent = this.#requests;
    const batches = this.#batches;
    this.#requests = [];
    this.#batches = [];
    for (const request of unsent) request.reject(this.#reason(undefined));
    for (const [index, batch] of batches.entries()) {
      if (index > 0) await turn();
      try {
        await this.#finish(batch);
      } catch (error) {
        this.#busy.delete(batch.staging);
        for (const { request } of batch.parts) request.reject(this.#reason(error));
      }
    }
  }

  async #finish({ staging, bytes, parts }: Batch): Promise<void> {
    const mapped = staging.mapAsync(GPUMapMode.READ, 0, bytes);
    if (this.#blocking) mapped.catch(() => {});
    else await mapped;
    const range = staging.getMappedRange(0, bytes);
    // An error of an earlier call is heard by now, a turn after it; its reads must not give numbers.
    if (this.#health.failure !== undefined) throw this.#reason(undefined);
    for (const { request, at } of parts) request.resolve(new Uint8Array(range.slice(at, at + request.bytes)));
    staging.unmap();
    this.#give(staging);
  }

  #reason(error: unknown): unknown {
    const { failure } = this.#health;
    return failure === undefined ? error : new RunError(failure, { cause: error });
  }

  #take(bytes: number): GPUBuffer {
    const index = this.#idle.findIndex((buffer) => buffer.size >= bytes);
    if (index >= 0) {
      const [found] = this.#idle.splice(index, 1);
      this.#busy.add(found!);
      return found!;
    }
    const size = bytes > PACKED_BYTES ? bytes : Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
    const buffer = this.#device.createBuffer({
      label: "read back",
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      mappedAtCreation: true,
    });
    buffer.unmap();
    this.#busy.add(buffer);
    return buffer;
  }

  #give(buffer: GPUBuffer): void {
    this.#busy.delete(buffer);
    if (buffer.size > PACKED_BYTES || this.#idle.length >= KEPT_BUFFERS) buffer.destroy();
    else {
      this.#idle.push(buffer);
      this.#idle.sort((a, b) => a.size - b.size);
    }
  }
}
