/**
 * Whether a device can still be trusted.
 *
 * WebGPU reports mistakes beside the calls that made them, a turn of the event loop later, and goes on. A run may by
 * then have skipped a kernel, so from the first error on nothing that the device holds means anything: every later use
 * is refused with that first error, which is the one that names the cause (those after it are its consequences).
 * @module
 */

import { RunError } from "../../../compiler/errors.ts";

const INVALID =
  "The state on this device is not valid any more: open a new device and load the last checkpoint.";

export class Health {
  #failure: string | undefined;

  /** Hears an error that no error scope caught. */
  report(error: GPUError): void {
    this.#failure ??= `The GPU refused what it was asked to do: ${error.message.trim()}\n${INVALID}`;
  }

  /** Watches for the device's end. */
  watch(device: GPUDevice, name: string): void {
    device.lost.then(({ message }) => {
      this.#failure ??=
        `The GPU "${name}" was lost (${message || "the driver gave no reason"}); perhaps its driver was ` +
        `reset, it ran out of memory, or a kernel took longer than the system allows. ${INVALID}`;
    });
  }

  /** Disposal is no failure, but ends all use as well. */
  dispose(): void {
    this.#failure ??= "The device was disposed, and what was on it is gone; use it before, or open another.";
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  assert(): void {
    if (this.#failure !== undefined) throw new RunError(this.#failure);
  }
}

/**
 * Does something and waits for what the device says of it: a validation error or a lack of memory that it causes is
 * thrown here and now, as a sentence that begins with `what`, and leaves the device trusted.
 */
export async function scoped<T>(device: GPUDevice, what: string, act: () => T): Promise<T> {
  device.pushErrorScope("validation");
  device.pushErrorScope("out-of-memory");
  let result: T;
  const errors: Promise<GPUError | null>[] = [];
  try {
    result = act();
  } finally {
    errors.push(device.popErrorScope(), device.popErrorScope());
  }
  for (const error of await Promise.all(errors)) {
    if (error !== null) throw new RunError(`${what}: ${error.message.trim()}`);
  }
  return result;
}
