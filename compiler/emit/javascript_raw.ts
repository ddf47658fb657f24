/**
 * A raw kernel where nothing runs WGSL: its reference, called on arrays of the form that references take (f64 for
 * floats, exact lengths), whose results are then stored at the width of their types.
 */

import { CompileError } from "../errors.ts";
import { type HostArray, hostArray } from "../graph/dtype.ts";
import type { HostView } from "../kernel/interpret.ts";
import type { RawKernel } from "../kernel/raw.ts";

/** @throws CompileError where the user gave no reference. */
export function hostKernel(kernel: RawKernel): (buffers: readonly HostView[]) => void {
  const { name, buffers, inputs, sizes, reference, origin } = kernel;
  if (!reference) {
    throw new CompileError(
      `customKernel(${name}): the CPU runs no WGSL, and the kernel has no reference. Give customKernel ` +
        '`reference: (arrays, sizes) => …`, the same in plain loops, or open a GPU: openDevice({ device: "webgpu" })',
      { origin },
    );
  }
  return (views) => {
    const arrays: Record<string, HostArray> = {};
    buffers.forEach(({ name, dtype, size }, i) => {
      const array = arrays[name] = hostArray(dtype, size);
      if (i < inputs) array.set(views[i]!.subarray(0, size));
    });
    reference(arrays, sizes);
    buffers.forEach(({ name, dtype }, i) => {
      if (i < inputs) return;
      const result = arrays[name]!;
      views[i]!.set(dtype === "bool" ? result.map((x) => x === 0 ? 0 : 1) : result);
    });
  };
}
