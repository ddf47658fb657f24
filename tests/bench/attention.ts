/**
 * How fast attention runs on this machine's adapter, forward and backward, and how long the first dispatch takes.
 *
 *     deno run -A runtime/setup/main.ts tests/bench/attention.ts [name…]
 *
 * `first` is making the pipelines and the first run; it is a cold one only where the driver's cache is off. On a shared
 * machine times drift by a factor of two within minutes: compare what one call printed.
 *
 * @module
 */

import { encodeUniforms } from "../../compiler/emit/uniforms.ts";
import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import { type HostArray, hostArray } from "../../compiler/graph/dtype.ts";
import { isProgram, type Op } from "../../compiler/graph/op.ts";
import type { ScheduledKernel } from "../../compiler/kernel/scheduled.ts";
import { type ConcreteType, type Reader } from "../../compiler/kernel/value.ts";
import { Values } from "../../compiler/kernel/values.ts";
import type { Writer } from "../../compiler/kernel/program_op.ts";
import { softwareTarget as plainTarget, type Target } from "../../compiler/target.ts";
import { attentionOp } from "../../ops/nn/attention.ts";
import { attentionBackwardOp } from "../../ops/nn/attention_backward.ts";
import type { AttentionAttrs } from "../../ops/nn/attention_types.ts";
import { dense, numbersOf } from "../unit/schedule/attention_support.ts";
import { irKernels } from "../support/ir_kernels.ts";

interface Size {
  readonly name: string;
  /** Heads (batches included), positions, head size. */
  readonly heads: number;
  readonly positions: number;
  readonly head: number;
  readonly causal: boolean;
}

const sizes: readonly Size[] = [
  { name: "causal 8×1024×64", heads: 8, positions: 1024, head: 64, causal: true },
  { name: "full 8×512×64", heads: 8, positions: 512, head: 64, causal: false },
  { name: "GPT 32×64×32", heads: 32, positions: 64, head: 32, causal: true },
];

/** Lavapipe's subgroups have 8 lanes. */
export const softwareTarget: Target = { ...plainTarget, broadcast: 8 };

/** The kernels of an op over dense buffers of the given names. */
export function planNamed<A>(
  op: Op<A>,
  attrs: A,
  inputs: readonly (readonly [string, ConcreteType])[],
  outputs: readonly string[],
  target: Target,
): readonly ScheduledKernel[] {
  if (!isProgram(op.lower)) throw new Error(`${op.name} is no program`);
  const k = new Values();
  const place = (name: string, type: ConcreteType): Reader & Writer => {
    const { strides, size } = dense(name, type.shape);
    const buffer = { name, dtype: type.dtype, size };
    return { ...type, buffer, at: (index) => k.affine(index.map((x, i) => [x, strides[i]!] as const)) };
  };
  const readers = inputs.map(([name, type]): Reader => {
    const { buffer, at } = place(name, type);
    return { ...type, at: (index) => k.load(buffer, at(index)) };
  });
  const types = op.infer(inputs.map(([, type]) => type), attrs);
  const writers = types.map((t, i) => place(outputs[i]!, t as ConcreteType));
  return irKernels(op.lower.plan({
    attrs,
    inputs: readers,
    sideBySide: [],
    outputs: writers,
    values: k,
    target,
    label: op.name,
    scratch: (dtype, size) => ({ name: "scratch", dtype, size }),
  }));
}

const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** Named buffers on a device. */
export class Memory {
  readonly #buffers = new Map<string, GPUBuffer>();
  constructor(readonly device: GPUDevice) {}

  put(name: string, data: Float32Array<ArrayBuffer>): void {
    const buffer = this.device.createBuffer({ size: Math.ceil(data.byteLength / 16) * 16, usage });
    this.device.queue.writeBuffer(buffer, 0, data);
    this.#buffers.set(name, buffer);
  }

  has(name: string): boolean {
    return this.#buffers.has(name);
  }

  of(name: string): GPUBuffer {
    return this.#buffers.get(name)!;
  }

  async read(name: string, length: number): Promise<Float32Array> {
    const staging = this.device.createBuffer({
      size: length * 4,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.of(name), 0, staging, 0, length * 4);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const out = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return out;
  }
}

export interface Step {
  readonly code: string;
  readonly resources: readonly GPUBuffer[];
  readonly grid: readonly [number, number?];
}

export function stepOf(memory: Memory, scheduled: ScheduledKernel, target: Target): Step {
  const { kernel, buffers, params, groups, scratch } = scheduled;
  for (const { name, size } of scratch) if (!memory.has(name)) memory.put(name, new Float32Array(size));
  const resources = buffers.map((ref) => memory.of(ref.name));
  const words = encodeUniforms(kernel, params, groups);
  if (words.length > 0) {
    const uniform = memory.device.createBuffer({
      size: words.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    memory.device.queue.writeBuffer(uniform, 0, words);
    resources.push(uniform);
  }
  return { code: emitWgsl(kernel, target), resources, grid: [groups] };
}

/** Steps that run one after the other, and how long that takes. */
export class Workload {
  readonly first: number;
  readonly #steps: readonly {
    readonly pipeline: GPUComputePipeline;
    readonly bindings: GPUBindGroup;
    readonly grid: readonly [number, number?];
  }[];

  constructor(readonly device: GPUDevice, readonly name: string, steps: readonly Step[]) {
    this.#fence();
    const start = performance.now();
    this.#steps = steps.map(({ code, resources, grid }) => {
      const module = device.createShaderModule({ code });
      const pipeline = device.createComputePipeline({
        layout: "auto",
        compute: { module, entryPoint: "main" },
      });
      const entries = resources.map((buffer, binding) => ({ binding, resource: { buffer } }));
      const bindings = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
      return { pipeline, bindings, grid };
    });
    this.time(1);
    this.first = performance.now() - start;
  }

  /** Deno waits inside the call. */
  #fence(): void {
    this.device.queue.onSubmittedWorkDone();
  }

  /** Milliseconds per run of `times` runs back to back. */
  time(times: number): number {
    const start = performance.now();
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < times; i++) {
      for (const { pipeline, bindings, grid } of this.#steps) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindings);
        pass.dispatchWorkgroups(grid[0], grid[1] ?? 1);
      }
    }
    pass.end();
    this.device.queue.submit([encoder.finish()]);
    this.#fence();
    return (performance.now() - start) / times;
  }
}

/** Medians of interleaved rounds: a shared machine drifts. */
export function measure(workloads: readonly Workload[], rounds = 7): number[] {
  const times = workloads.map((w) => Math.max(1, Math.min(32, Math.round(100 / w.time(1)))));
  const measured = workloads.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    workloads.forEach((w, i) => measured[i]!.push(w.time(times[i]!)));
  }
  return measured.map((list) => list.sort((a, b) => a - b)[rounds >> 1]!);
}

export async function openDevice(): Promise<GPUDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("no adapter");
  const device = await adapter.requestDevice({ requiredFeatures: ["subgroups" as GPUFeatureName] });
  device.addEventListener("uncapturederror", (event) => {
    console.error((event as GPUUncapturedErrorEvent).error.message);
  });
  return device;
}

/** Random operands on the device, and the kernels of forward and backward over them. */
export function prepare(device: GPUDevice, { heads, positions, head, causal }: Size, target: Target): {
  readonly memory: Memory;
  readonly forward: readonly ScheduledKernel[];
  readonly backward: readonly ScheduledKernel[];
} {
  const memory = new Memory(device);
  const matrix: ConcreteType = { shape: [heads, positions, head], dtype: "f32" };
  const rows: ConcreteType = { shape: [heads, positions], dtype: "f32" };
  ["q", "k", "v", "g"].forEach((name, i) => {
    memory.put(name, Float32Array.from(numbersOf({ shape: matrix.shape, lo: -1, hi: 1 }, i)));
  });
  const size = heads * positions * head;
  for (const name of ["o", "dq", "dk", "dv"]) memory.put(name, new Float32Array(size));
  memory.put("lse", new Float32Array(heads * positions));
  const attrs: AttentionAttrs = { causal, scale: null };
  const qkv = ["q", "k", "v"].map((name) => [name, matrix] as const);
  const forward = planNamed(attentionOp, attrs, qkv, ["o", "lse"], target);
  const operands = [...qkv, ["o", matrix] as const, ["lse", rows] as const, ["g", matrix] as const];
  const backward = planNamed(attentionBackwardOp, attrs, operands, ["dq", "dk", "dv"], target);
  return { memory, forward, backward };
}

/** The largest error of the first head, relative to its largest number. */
async function errorOf(memory: Memory, { positions, head, causal }: Size): Promise<number> {
  const attrs: AttentionAttrs = { causal, scale: null };
  const one: ConcreteType = { shape: [1, positions, head], dtype: "f32" };
  const rows: ConcreteType = { shape: [1, positions], dtype: "f32" };
  const of = async (name: string): Promise<HostArray> => {
    const out = hostArray("f32", positions * head);
    out.set(await memory.read(name, positions * head));
    return out;
  };
  const [q, k, v, g] = await Promise.all(["q", "k", "v", "g"].map(of)) as [
    HostArray,
    HostArray,
    HostArray,
    HostArray,
  ];
  const forward = attentionOp.reference([q, k, v], attrs, { inputs: [one, one, one], outputs: [one, rows] });
  const backward = attentionBackwardOp.reference([q, k, v, forward[0]!, forward[1]!, g], attrs, {
    inputs: [one, one, one, one, rows, one],
    outputs: [one, one, one],
  });
  let worst = 0;
  for (
    const [name, want] of [
      ["o", forward[0]!],
      ...["dq", "dk", "dv"].map((n, i) => [n, backward[i]!] as const),
    ] as const
  ) {
    const got = await of(name);
    let largest = 0;
    let error = 0;
    want.forEach((x, i) => {
      largest = Math.max(largest, Math.abs(x));
      error = Math.max(error, Math.abs(x - got[i]!));
    });
    worst = Math.max(worst, error / largest);
  }
  return worst;
}

if (import.meta.main) {
  const device = await openDevice();
  for (const size of sizes) {
    if (Deno.args.length > 0 && !Deno.args.some((part) => size.name.includes(part))) continue;
    const { memory, forward, backward } = prepare(device, size, softwareTarget);
    const workloads = [
      new Workload(device, "forward", forward.map((kernel) => stepOf(memory, kernel, softwareTarget))),
      ...backward.map((kernel) =>
        new Workload(device, kernel.label, [stepOf(memory, kernel, softwareTarget)])
      ),
    ];
    const ms = measure(workloads);
    const pairs = size.heads * size.positions ** 2 * size.head * (size.causal ? 1 : 2);
    workloads.forEach(({ name, first }, i) => {
      const products = [2, 3, 4][i]!;
      console.log(
        `${size.name.padEnd(18)} ${name.padEnd(26)} ${ms[i]!.toFixed(2)} ms  ` +
          `${(products * pairs / ms[i]! / 1e6).toFixed(1)} GFLOP/s  first ${first.toFixed(0)} ms`,
      );
    });
    console.log(
      `${size.name.padEnd(18)} largest relative error ${(await errorOf(memory, size)).toExponential(1)}`,
    );
  }
}
