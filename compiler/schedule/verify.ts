/**
 * Holds what schedules and program ops made to the rules of the kernel IR, whoever made it (a user's own op, too):
 *
 *   - every distinct kernel passes `verifyKernel`: types, scopes, every access inside its buffer;
 *   - every use of it keeps what that proof relies on: a buffer has the type and all the elements that the kernel declares,
 *     and the value of a parameter lies in the parameter's range.
 */

import { InternalError } from "../errors.ts";
import { printKernel } from "../kernel/print.ts";
import type { AnyKernel, AnyScheduled } from "../kernel/raw.ts";
import { verifyKernel } from "../kernel/verify.ts";
import type { Target } from "../target.ts";

/** @throws InternalError that names the kernel by its label. */
export function verifyKernels(kernels: readonly AnyScheduled[], { limits }: Target): void {
  // Equal groups share kernel objects, so most are known before anything is printed.
  const seen = new Set<AnyKernel>();
  const proven = new Set<string>();
  for (const scheduled of kernels) {
    const { kernel, label } = scheduled;
    if (!seen.has(kernel)) {
      seen.add(kernel);
      const text = printKernel(kernel);
      if (!proven.has(text)) {
        verifyKernel(kernel, limits, label);
        proven.add(text);
      }
    }
    const error = useError(scheduled);
    if (error) throw new InternalError("verify", `in "${label}", ${error}`);
  }
}

/** What in this use of a kernel its proof does not cover, if anything. */
function useError({ kernel, buffers, params, groups }: AnyScheduled): string | undefined {
  if (groups !== kernel.groups) return `${groups} groups run a kernel for ${kernel.groups}`;
  if (buffers.length !== kernel.buffers.length) {
    return `${buffers.length} buffers are bound to ${kernel.buffers.length}`;
  }
  for (const [i, declared] of kernel.buffers.entries()) {
    const { name, dtype, size } = buffers[i]!;
    if (dtype !== declared.dtype) {
      return `the buffer ${name} holds ${dtype}, and ${declared.dtype} is declared`;
    }
    if (size < declared.size) return `the buffer ${name} has ${size} elements of ${declared.size}`;
  }
  if (params.length !== kernel.params.length) {
    return `${params.length} values are given for ${kernel.params.length} parameters`;
  }
  for (const [i, { name, lo, hi, multiple = 1 }] of kernel.params.entries()) {
    const value = params[i]!;
    if (!(lo <= value && value <= hi) || (multiple !== 1 && value % multiple !== 0)) {
      const step = multiple === 1 ? "" : `, a multiple of ${multiple}`;
      return `the parameter ${name} is ${value} and lies in [${lo}, ${hi}]${step}`;
    }
  }
  return undefined;
}
