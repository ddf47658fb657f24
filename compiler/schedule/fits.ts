import type { Target } from "../target.ts";
import type { ScheduledKernel } from "./group.ts";

/**
 * Whether each kernel may bind its buffers. A group itself may, since fusion counts; but what is cut over workgroups
 * leaves and reads scratch besides, so a schedule that cuts asks, and doesn't cut where that is too many.
 */
export const fits = (kernels: readonly ScheduledKernel[], { limits }: Target): boolean =>
  kernels.every(({ buffers }) => buffers.length <= limits.storageBuffers);
