/** Whether what came out is what has to come out: some elements of each tensor against those known in f64. */

import type { Workload } from "./workloads/workload.ts";

/** Errors that sums of tens of thousands of numbers in f32 stay below, relative to the largest of a tensor. */
export const tolerance = 1e-4;

/**
 * The largest error of some elements of all that is known, each relative to the largest of its tensor's; NaN where an
 * element is NaN.
 */
export async function errorOf(
  { elements = {} }: Pick<Workload, "elements">,
  read: (name: string) => Promise<Float32Array>,
): Promise<number> {
  let worst = 0;
  for (const [name, element] of Object.entries(elements)) {
    const found = await read(name);
    const wanted = placesOf(found.length).map((i) => [i, element(i)] as const);
    const largest = Math.max(...wanted.map(([, x]) => Math.abs(x)));
    for (const [i, x] of wanted) {
      // Math.max keeps a NaN.
      worst = Math.max(worst, Math.abs(found[i]! - x) / largest);
    }
  }
  return worst;
}

/** 200 places, all over; the kernels by hand have a scalar as a vec4. */
function placesOf(length: number): readonly number[] {
  if (length <= 4) return [0];
  return Array.from({ length: 200 }, (_, i) => Math.floor((i + 0.5) * length / 200) ^ (i & 1))
    .map((i) => Math.min(i, length - 1));
}
