/**
 * Who runs a workload on this machine's adapter: Weft, and kernels written by hand. Both have their tensors on the device,
 * make one submit per run, and wait once for many.
 * @module
 */

import { compile, type Device } from "../../mod.ts";
import type { HandKernel } from "./by_hand/kernel.ts";
import type { Workload } from "./workloads.ts";

export interface Contestant extends Disposable {
  /** Milliseconds from nothing to the end of the first run: compile, pipelines, memory. */
  readonly first: number;
  /** Milliseconds of one run, of several back to back. */
  time(runs: number): Promise<number>;
  /** The output `y`; undefined where there is none to compare. */
  read(): Promise<Float32Array | undefined>;
}

async function timed(runs: number, run: () => void, wait: () => Promise<void>): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < runs; i++) run();
  await wait();
  return (performance.now() - start) / runs;
}

export async function weft(workload: Workload, device: Device): Promise<Contestant> {
  const start = performance.now();
  const executable = await compile(workload.model(), { device, sizes: workload.sizes ?? {} });
  const feeds = workload.feeds ?? {};
  let results = executable.run(feeds);
  await executable.idle();
  const first = performance.now() - start;
  return {
    first,
    time: (runs) => timed(runs, () => results = executable.run(feeds), () => executable.idle()),
    read: async () => await results["y"]?.read() as Float32Array | undefined,
    [Symbol.dispose]: () => executable.dispose(),
  };
}

export async function byHand(workload: Workload, device: GPUDevice): Promise<Contestant | undefined> {
  const written = workload.byHand?.();
  if (!written) return undefined;
  const start = performance.now();
  const memory = new Map<string, GPUBuffer>();
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const allocate = (name: string, bytes: number) => {
    const buffer = device.createBuffer({ size: bytes, usage: STORAGE | COPY_SRC | COPY_DST });
    memory.set(name, buffer);
    return buffer;
  };
  for (const [name, { data }] of Object.entries(workload.tensors)) {
    device.queue.writeBuffer(allocate(name, data.byteLength), 0, data);
  }
  for (const [name, floats] of Object.entries(written.memory)) allocate(name, floats * 4);
  const steps = written.kernels.map(({ wgsl, buffers, groups }: HandKernel) => {
    const pipeline = device.createComputePipeline({
      layout: "auto",
      compute: { module: device.createShaderModule({ code: wgsl }), entryPoint: "main" },
    });
    const entries = buffers.map((name, binding) => ({ binding, resource: { buffer: memory.get(name)! } }));
    return {
      pipeline,
      groups,
      bindGroup: device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }),
    };
  });
  const run = () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const { pipeline, groups: [x, y = 1, z = 1], bindGroup } of steps as Step[]) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(x, y, z);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
  const wait = () => device.queue.onSubmittedWorkDone().then(() => {});
  run();
  await wait();
  const first = performance.now() - start;
  return {
    first,
    time: (runs) => timed(runs, run, wait),
    async read() {
      const y = memory.get("y")!;
      const staging = device.createBuffer({ size: y.size, usage: MAP_READ | COPY_DST });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(y, 0, staging, 0, y.size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const result = new Float32Array(staging.getMappedRange().slice(0));
      staging.destroy();
      return result;
    },
    [Symbol.dispose]: () => memory.forEach((buffer) => buffer.destroy()),
  };
}

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly groups: HandKernel["groups"];
}

/** The largest error of some elements, relative to 1 + |wanted|; NaN where an element is NaN. */
export function errorOf(workload: Workload, y: Float32Array): number {
  const { element } = workload;
  if (!element) return 0;
  const size = y.length === 4 ? 1 : y.length;
  const places = size === 1
    ? [0]
    : Array.from({ length: 200 }, (_, i) => Math.floor((i + 0.5) * size / 200) ^ (i & 1));
  let worst = 0;
  for (const i of places) {
    const wanted = element(i);
    const error = Math.abs(y[i]! - wanted) / (1 + Math.abs(wanted));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}
