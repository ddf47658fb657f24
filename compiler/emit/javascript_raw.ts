/**
 * A raw kernel where nothing runs WGSL: its reference, called on arrays of the form that references take (f64 for
 * floats, exact lengths), whose results are then stored at the width of their types.
 */

import { CompileError } from "../errors.ts";
import { hostArray } from "../graph/dtype.ts";
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
    const arrays = buffers.map(({ dtype, size }, i) => {
      const array = hostArray(dtype, size);
      if (i < inputs) array.set(views[i]!.subarray(0, size));
      return array;
    });
    reference(arrays, sizes);
    for (let i = inputs; i < buffers.length; i++) {
      const { dtype, size } = buffers[i]!;
      const result = dtype === "bool" ? arrays[i]!.map((x) => x === 0 ? 0 : 1) : arrays[i]!;
      views[i]!.set(result.subarray(0, size));
    }
  };
}
