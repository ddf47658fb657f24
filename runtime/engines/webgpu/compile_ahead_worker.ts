/**
 * The thread of a helper that compiles kernels (`compile_ahead.ts`): opens the adapter, dispatches one workgroup of each
 * kernel on zeroed memory, says that it is done.
 * @module
 */

import type { HelperTask } from "./compile_ahead.ts";
import { firstDispatch } from "./first_dispatch.ts";
import { Pipelines } from "./pipelines.ts";

addEventListener("message", async ({ data }: MessageEvent<HelperTask>) => {
  await compileAll(data).catch(() => {}); // the run compiles what is missing, and says what is wrong
  (globalThis as unknown as { postMessage(message: string): void }).postMessage("done");
});

async function compileAll(
  { adapter: { description, limits, features }, kernels }: HelperTask,
): Promise<void> {
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter?.info.description !== description) return; // another one's kernels are of no use
  const device = await adapter.requestDevice({ requiredFeatures: [...features], requiredLimits: limits });
  const pipelines = new Pipelines(device);
  for (const kernel of kernels) {
    const { code, accesses, uniformBytes, label } = kernel;
    const compiled = await pipelines.get(code, accesses, uniformBytes > 0, label);
    await firstDispatch(device, compiled, kernel);
  }
}
