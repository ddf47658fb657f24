/**
 * A kernel's first dispatch, on memory of its own: drivers that compute on the CPU compile only then.
 * @module
 */

import type { Access } from "../../../compiler/kernel/ir.ts";
import { scoped } from "./health.ts";
import type { Compiled } from "./pipelines.ts";

/** A kernel, and what its first dispatch binds. */
export interface KernelText {
  readonly code: string;
  /** Of the storage buffers at bindings 0 …. */
  readonly accesses: readonly Access[];
  /** Bytes of those buffers. */
  readonly bytes: readonly number[];
  /** Bytes of the uniform block behind them; 0 for none. */
  readonly uniformBytes: number;
  readonly label: string;
}

/** What is allocated for one kernel at most; those that bind more run so long that their compiling doesn't matter. */
const MOST_BYTES = 64 * 2 ** 20;

export const mayDispatchFirst = ({ bytes }: KernelText): boolean =>
  bytes.reduce((a, b) => a + b, 0) <= MOST_BYTES;

/** Runs one workgroup on zeroed memory and frees that. Zeros in the uniform block end most loops at once. */
export function firstDispatch(
  device: GPUDevice,
  { pipeline, layout }: Compiled,
  { bytes, uniformBytes, label }: KernelText,
): Promise<void> {
  return scoped(device, `The GPU could not try the kernel "${label}"`, () => {
    const buffers = bytes.map((size) => device.createBuffer({ label, size, usage: GPUBufferUsage.STORAGE }));
    if (uniformBytes > 0) {
      buffers.push(device.createBuffer({ label, size: uniformBytes, usage: GPUBufferUsage.UNIFORM }));
    }
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const encoder = device.createCommandEncoder({ label });
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(1);
    pass.end();
    device.queue.submit([encoder.finish()]);
    for (const buffer of buffers) buffer.destroy();
  });
}
