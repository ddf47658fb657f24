/**
 * The kernels of a bundle on a device, and the steps of its programs as what a run encodes.
 * @module
 */

import type { BundleKernel, BundleProgram, DispatchStep, Range } from "../manifest.ts";
import { words } from "./elements.ts";

// Numbers of the WebGPU standard: Node has no globals for them.
export const MAP_READ = 1;
export const COPY_SRC = 4;
export const COPY_DST = 8;
export const UNIFORM = 64;
export const STORAGE = 128;
const COMPUTE = 4;

/** Its pipeline and bind group, workgroups along x and y, and which of them rows of the open size need. */
type Dispatch = readonly [GPUComputePipeline, GPUBindGroup, x: number, y: number, open: DispatchStep["open"]];
/** Its source and the offset there, its target and the offset there, its bytes. */
type Copy = readonly [GPUBuffer, number, GPUBuffer, number, number];
export type PreparedStep = Dispatch | Copy;

const isCopy = (step: PreparedStep): step is Copy => typeof step[1] === "number";

/** Compiles a kernel when it is first asked for. */
export function pipelinesOf(
  device: GPUDevice,
  kernels: readonly BundleKernel[],
  codes: readonly string[],
): (kernel: number) => Promise<GPUComputePipeline> {
  const made: Promise<GPUComputePipeline>[] = [];
  return (index) => {
    const { bindings, uniforms, file } = kernels[index]!;
    const types = bindings.map(({ access }): GPUBufferBindingType =>
      access === "read" ? "read-only-storage" : "storage"
    );
    if (uniforms) types.push("uniform");
    return made[index] ??= device.createComputePipelineAsync({
      label: file,
      layout: device.createPipelineLayout({
        bindGroupLayouts: [device.createBindGroupLayout({
          entries: types.map((type, binding) => ({ binding, visibility: COMPUTE, buffer: { type } })),
        })],
      }),
      compute: { module: device.createShaderModule({ code: codes[index]! }), entryPoint: "main" },
    });
  };
}

/**
 * @param place The buffer and the offset of a range.
 * @param allocate Makes a buffer that lives as long as the bundle.
 */
export async function prepare(
  device: GPUDevice,
  { steps }: BundleProgram,
  pipeline: (kernel: number) => Promise<GPUComputePipeline>,
  place: (range: Range) => [GPUBuffer, number],
  allocate: (size: number, usage: number) => GPUBuffer,
): Promise<PreparedStep[]> {
  const blocks: number[] = [];
  const offsets = steps.map((step) => {
    while (blocks.length % 64) blocks.push(0); // uniform blocks begin at multiples of 256 bytes
    const offset = blocks.length * 4;
    blocks.push(...(step as DispatchStep).uniforms ?? []);
    return offset;
  });
  const uniforms = allocate(blocks.length * 4 + 4, UNIFORM | COPY_DST);
  // Deno aborts at an empty array.
  if (blocks.length) device.queue.writeBuffer(uniforms, 0, Uint32Array.from(blocks));
  const prepared: PreparedStep[] = [];
  for (const [i, step] of steps.entries()) {
    if ("from" in step) {
      const from = place(step.from);
      const to = place(step.to);
      const bytes = words(step.from[2]);
      if (from[0] !== to[0]) prepared.push([...from, ...to, bytes]);
      else { // WebGPU doesn't copy within one buffer
        const between = allocate(bytes, COPY_SRC | COPY_DST);
        prepared.push([...from, between, 0, bytes], [between, 0, ...to, bytes]);
      }
      continue;
    }
    const { grid, bindings, uniforms: { length }, open } = step;
    if (!(grid[0] * grid[1])) continue;
    const resources = bindings.map((range): GPUBufferBinding => {
      const [buffer, offset] = place(range);
      return { buffer, offset, size: range[2] };
    });
    if (length) resources.push({ buffer: uniforms, offset: offsets[i]!, size: length * 4 });
    const compiled = await pipeline(step.kernel);
    const group = device.createBindGroup({
      layout: compiled.getBindGroupLayout(0),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
    prepared.push([compiled, group, ...grid, open]);
  }
  return prepared;
}

/** @param rows Of the open size. */
export function encodeSteps(encoder: GPUCommandEncoder, steps: readonly PreparedStep[], rows: number): void {
  let pass: GPUComputePassEncoder | undefined;
  for (const step of steps) {
    if (isCopy(step)) {
      pass?.end();
      pass = undefined;
      encoder.copyBufferToBuffer(...step);
    } else {
      const [pipeline, group, x, y, open] = step;
      pass ??= encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(open ? Math.min(x, open[0] * Math.ceil(rows * open[1] / open[2])) : x, y);
    }
  }
  pass?.end();
}
