/**
 * The thread of a helper that compiles kernels (`compile_ahead.ts`): opens the adapter, dispatches one workgroup of each
 * kernel on zeroed memory, says that it is done.
 * @module
 */

import type { HelperTask, KernelToCompile } from "./compile_ahead.ts";
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
  device.addEventListener("uncapturederror", (event) => event.preventDefault()); // the run will hear of it
  const pipelines = new Pipelines(device);
  for (const kernel of kernels) await compile(device, pipelines, kernel);
}

/** A driver may compile at the first dispatch only. Zeros in the uniform block end most loops at once. */
async function compile(
  device: GPUDevice,
  pipelines: Pipelines,
  { code, accesses, bytes, uniformBytes, label }: KernelToCompile,
): Promise<void> {
  const { pipeline, layout } = await pipelines.get(code, accesses, uniformBytes > 0, label);
  const buffers = bytes.map((size) => device.createBuffer({ size, usage: GPUBufferUsage.STORAGE }));
  if (uniformBytes > 0) {
    buffers.push(device.createBuffer({ size: uniformBytes, usage: GPUBufferUsage.UNIFORM }));
  }
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  device.queue.submit([encoder.finish()]);
  for (const buffer of buffers) buffer.destroy();
}
