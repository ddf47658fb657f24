/** Runs one kernel on a WebGPU device, with nothing of the runtime but its adapter: for tests of emitted WGSL. */

import { encodeUniforms, uniformWords } from "../../compiler/emit/uniforms.ts";
import { emitWgsl, type WgslOptions } from "../../compiler/emit/wgsl.ts";
import type { HostView } from "../../compiler/kernel/interpret.ts";
import type { Kernel } from "../../compiler/kernel/ir.ts";
import { statementsOfKernel } from "../../compiler/kernel/walk.ts";
import { leavePipelineTimes } from "./pipeline_times.ts";

/** The buffers after a run of `groups` workgroups; throws with WebGPU's message where it refuses the kernel. */
export async function runOnGpu(
  device: GPUDevice,
  kernel: Kernel,
  views: readonly HostView[],
  params: Readonly<Record<string, number>>,
  options: WgslOptions,
  groups: number = kernel.groups,
): Promise<HostView[]> {
  const code = emitWgsl(kernel, options);
  device.pushErrorScope("validation");
  const visibility = GPUShaderStage.COMPUTE;
  const entries: GPUBindGroupLayoutEntry[] = kernel.buffers.map(({ access }, binding) => ({
    binding,
    visibility,
    buffer: { type: access === "read" ? "read-only-storage" : "storage" },
  }));
  const hasBlock = uniformWords(kernel).length > 0;
  if (hasBlock) entries.push({ binding: entries.length, visibility, buffer: { type: "uniform" } });
  const layout = device.createBindGroupLayout({ entries });
  const start = performance.now();
  const pipeline = device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
  });
  const made = performance.now() - start;

  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffers = views.map((view) =>
    upload(device, new Uint8Array(view.buffer, view.byteOffset, view.byteLength), storage)
  );
  if (hasBlock) {
    const block = encodeUniforms(kernel, kernel.params.map(({ name }) => params[name]!), groups);
    buffers.push(
      upload(device, new Uint8Array(block.buffer), GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST),
    );
  }
  const copies = views.map((_, i) =>
    device.createBuffer({ size: buffers[i]!.size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ })
  );
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout,
      entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
    }),
  );
  const columns = Math.min(groups, 65_535);
  pass.dispatchWorkgroups(columns, Math.ceil(groups / columns));
  pass.end();
  copies.forEach((copy, i) => encoder.copyBufferToBuffer(buffers[i]!, 0, copy, 0, copy.size));
  const submitted = performance.now();
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(`${error.message}\n${code}`);

  const results: HostView[] = [];
  for (const [i, copy] of copies.entries()) {
    await copy.mapAsync(GPUMapMode.READ);
    const view = views[i]!;
    const Form = view.constructor as new (bytes: ArrayBuffer, offset: number, length: number) => HostView;
    results.push(new Form(copy.getMappedRange().slice(0), 0, view.length));
  }
  const ran = performance.now() - submitted;
  leavePipelineTimes([{
    what: `a kernel of ${[...statementsOfKernel(kernel)].length} statements`,
    made,
    ran,
  }]);
  for (const buffer of [...buffers, ...copies]) buffer.destroy();
  return results;
}

/** A buffer with these bytes, padded to what a binding takes. */
function upload(device: GPUDevice, bytes: Uint8Array, usage: number): GPUBuffer {
  const size = Math.ceil(bytes.length / 256) * 256;
  const buffer = device.createBuffer({ size, usage, mappedAtCreation: true });
  new Uint8Array(buffer.getMappedRange()).set(bytes);
  buffer.unmap();
  return buffer;
}
