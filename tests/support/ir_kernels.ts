/** Kernels of which a test knows that none is a user's text, as the IR that they are. */

import type { AnyScheduled } from "../../compiler/kernel/raw.ts";
import { isRaw } from "../../compiler/kernel/raw.ts";
import type { ScheduledKernel } from "../../compiler/kernel/scheduled.ts";

export const irKernels = (kernels: readonly AnyScheduled[]): readonly ScheduledKernel[] =>
  kernels.map((scheduled) => {
    const { kernel } = scheduled;
    if (isRaw(kernel)) throw new Error(`${kernel.name} is no kernel in IR`);
    return { ...scheduled, kernel };
  });
