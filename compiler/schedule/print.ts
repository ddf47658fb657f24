/** Every distinct kernel of a program with what it is for, in the order of their first use. */

import { printKernel } from "../kernel/print.ts";
import type { AnyScheduled } from "../kernel/raw.ts";

export function printKernels(kernels: readonly AnyScheduled[]): string {
  const uses = new Map<string, string[]>();
  for (const { kernel, label, schedule } of kernels) {
    const text = printKernel(kernel);
    const labels = uses.get(text);
    if (labels) labels.push(label);
    else uses.set(text, [`${schedule}: ${label}`]);
  }
  return [...uses].map(([text, labels]) => `# ${labels.join("; ")}\n${text}`).join("\n");
}
