/**
 * Who runs a workload on this machine's adapter: Weft, and kernels written by hand. Both have their tensors on the device,
 * make one submit per run, and wait once for many.
 * @module
 */

import { compile, type CompileModelOptions, type Device } from "../../mod.ts";
import type { HandKernel } from "./by_hand/kernel.ts";
import { errorOf, tolerance } from "./check.ts";
import type { Workload } from "./workloads/workload.ts";

export interface Contestant extends Disposable {
  /** Milliseconds from nothing to the end of the first run: compile, pipelines, memory. */
  readonly first: number;
  /** Milliseconds of one run, of several back to back. */
  time(runs: number): Promise<number>;
  /** An output, or a state, as the last run left it. */
  read(name: string): Promise<Float32Array>;
}

/** Milliseconds since some moment. */
export type Clock = () => number;

export const wallTime: Clock = (): number => performance.now();

/**
 * What all threads of this process have worked, in steps of 10 ms (Linux). On a software adapter that is what kernels
 * cost, whoever else uses the machine.
 */
export const processorTime: Clock = (): number => {
  // The name of the command, which comes first, may contain anything, a blank too.
  const fields = Deno.readTextFileSync("/proc/self/stat").split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
};

async function timed(
  runs: number,
  run: () => void,
  wait: () => Promise<void>,
  clock = wallTime,
): Promise<number> {
  const start = clock();
  for (let i = 0; i < runs; i++) run();
  await wait();
  return (clock() - start) / runs;
}

export async function weft(
  workload: Workload,
  device: Device,
  options: Pick<CompileModelOptions, "policy" | "passes"> = {},
  clock: Clock = wallTime,
): Promise<Contestant> {
  const start = performance.now();
  const executable = await compile(workload.model(), { device, sizes: workload.sizes ?? {}, ...options });
  const feeds = workload.feeds ?? {};
  let results = executable.run(feeds);
  await executable.idle();
  const first = performance.now() - start;
  return {
    first,
    time: (runs) => timed(runs, () => results = executable.run(feeds), () => executable.idle(), clock),
    read: async (name) => await (results[name]?.read() ?? executable.state.read(name)) as Float32Array,
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
  for (const [name, data] of Object.entries(written.constants ?? {})) {
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
    async read(name) {
      const y = memory.get(name)!;
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

/** The largest error of what the last run gave. @throws where it is too large. */
export async function check(
  name: string,
  workload: Workload,
  contestants: readonly Contestant[],
): Promise<number> {
  const errors = await Promise.all(contestants.map((c) => errorOf(workload, (name) => c.read(name))));
  errors.forEach((error, i) => {
    if (!(error <= tolerance)) throw new Error(`${name}: ${["Weft", "by hand"][i]} is wrong by ${error}`);
  });
  return Math.max(...errors);
}
