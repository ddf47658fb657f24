/**
 * Memory on a WebGPU device: one GPUBuffer each.
 * @module
 */

import { RunError } from "../../../compiler/errors.ts";
import type { Memory, MemoryUse } from "../../engine.ts";

const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;

/**
 * What the commands of a run and the host may do with a memory. `temporary` and `output` may be the ends of a copy that
 * is a step of the program; whatever a user can hold a handle to can be copied from.
 */
const USAGES: Readonly<Record<MemoryUse, number>> = {
  state: STORAGE | COPY_SRC | COPY_DST,
  temporary: STORAGE | COPY_SRC | COPY_DST,
  input: STORAGE | COPY_SRC | COPY_DST,
  output: STORAGE | COPY_SRC | COPY_DST,
  constant: STORAGE | COPY_DST,
  result: COPY_SRC | COPY_DST,
};

export class GpuMemory implements Memory {
  readonly #problem: Promise<string | undefined>;
  readonly #forget: (memory: GpuMemory) => void;

  private constructor(
    readonly buffer: GPUBuffer,
    readonly bytes: number,
    problem: Promise<string | undefined>,
    forget: (memory: GpuMemory) => void,
  ) {
    this.#problem = problem;
    this.#forget = forget;
  }

  /** `forget` is called once, when the memory is destroyed. */
  static allocate(
    device: GPUDevice,
    bytes: number,
    use: MemoryUse,
    label: string,
    forget: (memory: GpuMemory) => void,
  ): GpuMemory {
    const limit = device.limits.maxBufferSize;
    if (bytes > limit) {
      throw new RunError(
        `"${label}" needs ${megabytes(bytes)} in one buffer, and this device's buffers end at ${
          megabytes(limit)
        }. ` +
          `Use smaller sizes, or a device with a larger limit.`,
      );
    }
    device.pushErrorScope("out-of-memory");
    const buffer = device.createBuffer({ label, size: bytes, usage: USAGES[use] });
    const problem = device.popErrorScope().then((error) =>
      error === null
        ? undefined
        : `The device has no room for "${label}" of ${
          megabytes(bytes)
        }. Use smaller sizes, or dispose what is not needed.`
    );
    return new GpuMemory(buffer, bytes, problem, forget);
  }

  async confirm(): Promise<void> {
    const problem = await this.#problem;
    if (problem !== undefined) throw new RunError(problem);
  }

  destroy(): void {
    this.#forget(this);
    this.buffer.destroy();
  }
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
