/** What a kernel declares, against the limits of the device it is for. */

import type { TargetLimits } from "../target.ts";
import { expandCombines, sharedBytes } from "./expand_combines.ts";
import type { Kernel } from "./ir.ts";
import { deviceBytes } from "../graph/dtype.ts";

/** What is wrong with the declarations, if anything. */
export function checkDeclarations(kernel: Omit<Kernel, "body">, limits: TargetLimits): string | undefined {
  const { lanes, groups, params, buffers, arrays } = kernel;
  const isCount = (x: number) => Number.isInteger(x) && x >= 1;
  if (!isCount(lanes) || lanes > limits.lanesPerWorkgroup) {
    return `${lanes} lanes, and a workgroup has 1 to ${limits.lanesPerWorkgroup}`;
  }
  if (!isCount(groups) || groups > Math.min(limits.workgroupsPerDimension ** 2, 2 ** 31 - 1)) {
    return `${groups} groups, and a grid folds ${limits.workgroupsPerDimension} twice`;
  }
  if (buffers.length > limits.storageBuffers) {
    return `${buffers.length} buffers, and a stage binds ${limits.storageBuffers}`;
  }
  for (const list of [params, buffers, arrays]) {
    const names = list.map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) return `two declarations are called ${twice}`;
  }
  for (const { name, lo, hi, multiple = 1 } of params) {
    if (!(lo <= hi)) return `the parameter ${name} lies in [${lo}, ${hi}]`;
    if (!isCount(multiple)) return `the parameter ${name} is a multiple of ${multiple}`;
  }
  for (const { name, dtype, size } of buffers) {
    if (!isCount(size)) return `the buffer ${name} has ${size} elements`;
    const bytes = size * deviceBytes(dtype);
    if (bytes > limits.bindingBytes) return `the buffer ${name} has ${bytes} bytes of ${limits.bindingBytes}`;
  }
  for (const { name, space, length, dynamic } of arrays) {
    if (!isCount(length)) return `the array ${name} has ${length} elements`;
    if (space === "shared" && !dynamic) return `the shared array ${name} is not dynamic`;
  }
  return undefined;
}

/** Whether shared arrays, with the scratch that combines take, exceed workgroup memory. The combines must be well formed. */
export function sharedMemoryError(kernel: Kernel, limits: TargetLimits): string | undefined {
  const { arrays } = expandCombines(kernel, limits.sharedBytes);
  const bytes = arrays.reduce((sum, array) => sum + sharedBytes(array), 0);
  return bytes > limits.sharedBytes ? `${bytes} bytes of shared arrays of ${limits.sharedBytes}` : undefined;
}
