/**
 * What a schedule made, run over named buffers and timed.
 * @module
 */

import { encodeUniforms } from "../../../compiler/emit/uniforms.ts";
import { emitWgsl } from "../../../compiler/emit/wgsl.ts";
import type { ScheduledKernel } from "../../../compiler/kernel/scheduled.ts";
import type { Target } from "../../../compiler/target.ts";
import type { DeviceMemory } from "./device_memory.ts";

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly bindings: GPUBindGroup;
  readonly groups: number;
}

export class ScheduledRuns {
  /** Milliseconds from the kernels to the end of their first run: a cold one only without the driver's cache. */
  readonly first: number;
  readonly #device: GPUDevice;
  readonly #steps: readonly Step[];

  constructor(memory: DeviceMemory, kernels: readonly ScheduledKernel[], target: Target) {
    this.#device = memory.device;
    for (const { name, size } of kernels.flatMap(({ scratch }) => scratch)) {
      if (!memory.has(name)) memory.put(name, new Float32Array(size));
    }
    this.#fence();
    const start = performance.now();
    this.#steps = kernels.map((kernel) => stepOf(kernel, memory, target));
    this.#run(1);
    this.#fence();
    this.first = performance.now() - start;
  }

  #run(times: number): void {
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < times; i++) {
      for (const { pipeline, bindings, groups } of this.#steps) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindings);
        pass.dispatchWorkgroups(groups);
      }
    }
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Deno waits inside the call. */
  #fence(): void {
    this.#device.queue.onSubmittedWorkDone();
  }

  /** Milliseconds per run of so many runs back to back. */
  time(runs: number): Promise<number> {
    const start = performance.now();
    this.#run(runs);
    this.#fence();
    return Promise.resolve((performance.now() - start) / runs);
  }
}

function stepOf(
  { kernel, buffers, params, groups }: ScheduledKernel,
  memory: DeviceMemory,
  target: Target,
): Step {
  const { device } = memory;
  const module = device.createShaderModule({ code: emitWgsl(kernel, target) });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const resources = buffers.map(({ name }) => memory.of(name));
  const words = encodeUniforms(kernel, params, groups);
  if (words.length > 0) {
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const uniform = device.createBuffer({ size: words.byteLength, usage });
    device.queue.writeBuffer(uniform, 0, words);
    resources.push(uniform);
  }
  const entries = resources.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const bindings = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return { pipeline, bindings, groups };
}
