/**
 * The text form of a raw kernel: what it declares, and the user's text as it stands. Where two kernels have one text
 * they do the same on a device, so it serves as a key, like that of other kernels.
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

import type { RawKernel, RawReference } from "./raw.ts";

/** Functions have no content to print: the first one met is 1. */
const numbers = new WeakMap<RawReference, number>();
let met = 0;

export function printRaw(kernel: RawKernel): string {
  const { name, workgroups, workgroupSize, sizes, params, buffers, forms, reference } = kernel;
  const lines = [
    `raw kernel ${name}, workgroups ${workgroups.join(" ")} of ${workgroupSize.join(" ")}`,
    ...Object.entries(sizes).map(([size, value]) => `size ${size} = ${value}`),
    ...params.map((param) => `param ${param.name}: ${param.scalar}`),
    ...buffers.map(({ name, dtype, size, access }, i) => {
      const form = forms[i] === "scalar" ? "" : ` as ${forms[i]}`;
      return `buffer ${name}: ${dtype}[${size}] ${access}${form}`;
    }),
  ];
  if (reference) lines.push(`reference ${numberOf(reference)}`);
  return [...lines, "declarations {", kernel.declarations, "}", "body {", kernel.body, "}", ""].join("\n");
}

function numberOf(reference: RawReference): number {
  let number = numbers.get(reference);
  if (number === undefined) numbers.set(reference, number = ++met);
  return number;
}
