/**
 * Named buffers on a plain WebGPU device, without Weft's runtime.
 * @module
 */

import type { HostView } from "../../../compiler/kernel/interpret.ts";
import { openAdapter } from "../../../runtime/adapter.ts";

export class DeviceMemory implements Disposable {
  readonly #buffers = new Map<string, GPUBuffer>();
  constructor(readonly device: GPUDevice) {}

  put(name: string, data: HostView): void {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const size = Math.ceil(data.byteLength / 16) * 16;
    const buffer = this.device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
    this.device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
    this.#buffers.set(name, buffer);
  }

  has(name: string): boolean {
    return this.#buffers.has(name);
  }

  of(name: string): GPUBuffer {
    return this.#buffers.get(name)!;
  }

  async read(name: string, length: number): Promise<Float32Array> {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = this.device.createBuffer({ size: length * 4, usage });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.of(name), 0, staging, 0, length * 4);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const out = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return out;
  }

  [Symbol.dispose](): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
  }
}

/** This machine's adapter with all that it has; mistakes are printed. */
export async function openPlainDevice(): Promise<GPUDevice> {
  const { device } = await openAdapter();
  device.addEventListener("uncapturederror", (event) => {
    console.error((event as GPUUncapturedErrorEvent).error.message);
  });
  return device;
}
