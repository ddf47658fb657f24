/**
 * The text form of a raw kernel: what it declares, and the user's text as it stands. Two kernels of one text do the same
 * on a device. A reference is a function and has no text: who runs references must look at it as well.
 *
 *     raw kernel scale, workgroups 4 1 1 of 64 1 1
 *     size n = 256
 *     buffer x: f32[256] read
 *     buffer y: f32[256] write
 *     declarations {
 *     }
 *     body {
 *     let i = global_invocation_id.x;
 *     if (i < n) { y[i] = 2 * x[i]; }
 *     }
 */

import type { RawKernel } from "./raw.ts";

export function printRaw(kernel: RawKernel): string {
  const { name, workgroups, workgroupSize, sizes, params, buffers, forms } = kernel;
  const lines = [
    `raw kernel ${name}, workgroups ${workgroups.join(" ")} of ${workgroupSize.join(" ")}`,
    ...Object.entries(sizes).map(([size, value]) => `size ${size} = ${value}`),
    ...params.map((param) => `param ${param.name}: ${param.scalar}`),
    ...buffers.map(({ name, dtype, size, access }, i) => {
      const form = forms[i] === "scalar" ? "" : ` as ${forms[i]}`;
      return `buffer ${name}: ${dtype}[${size}] ${access}${form}`;
    }),
  ];
  return [...lines, "declarations {", kernel.declarations, "}", "body {", kernel.body, "}", ""].join("\n");
}
