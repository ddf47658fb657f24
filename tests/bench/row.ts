/**
 * How fast row kernels run on this machine's adapter, and how long their first dispatch takes.
 *
 *     deno run -A runtime/setup/main.ts tests/bench/row.ts [name…]
 *
 * `first` is making the pipelines and the first run; it is a cold one only where the driver's cache is off. On a shared
 * machine times drift by a factor of two within minutes: compare what one call printed.
 *
 * @module
 */

import { encodeUniforms } from "../../compiler/emit/uniforms.ts";
import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import type { HostView } from "../../compiler/kernel/interpret.ts";
import * as numerics from "../../compiler/kernel/numerics.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import { softwareTarget, type Target } from "../../compiler/target.ts";
import { RowGroup } from "../unit/schedule/row_support.ts";

export interface Case {
  readonly name: string;
  /** Read and written once each, in an ideal world. */
  readonly bytes: number;
  readonly make: () => RowGroup;
}

/** `numerics` is what the op `exp` lowers to; `builtin` is what hand-written kernels have. */
export function softmax(
  rows: number,
  length: number,
  { logSumExp = false, exponential = "numerics" as "numerics" | "builtin" } = {},
): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const e = (v: Value) => exponential === "numerics" ? numerics.exp(k, v) : k.unary("exp", v);
  const x = g.random("x", [rows, length]);
  const max = (i: Value) => k.reduce("maxFast", [length], [i], ([j]) => x.at([i, j!]));
  const exp = (i: Value, j: Value) => e(k.sub(x.at([i, j]), max(i)));
  const sum = (i: Value) => k.reduce("sum", [length], [i], ([j]) => exp(i, j!));
  g.output("y", [rows, length], ([i, j]) => k.div(exp(i!, j!), sum(i!)));
  if (logSumExp) g.output("lse", [rows], ([i]) => k.add(k.unary("log", sum(i!)), max(i!)));
  return g;
}

export function softmaxBackward(rows: number, length: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const [y, dy] = [g.random("y", [rows, length]), g.random("dy", [rows, length])];
  const dot = (i: Value) => k.reduce("sum", [length], [i], ([j]) => k.mul(y.at([i, j!]), dy.at([i, j!])));
  g.output("dx", [rows, length], ([i, j]) => k.mul(y.at([i!, j!]), k.sub(dy.at([i!, j!]), dot(i!))));
  return g;
}

export function layerNorm(rows: number, length: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [rows, length]);
  const [gamma, beta] = [g.random("gamma", [length]), g.random("beta", [length])];
  const sum = (i: Value, body: (j: Value) => Value) => k.reduce("sum", [length], [i], ([j]) => body(j!));
  const mean = (i: Value) => k.div(sum(i, (j) => x.at([i, j])), length);
  const centered = (i: Value, j: Value) => k.sub(x.at([i, j]), mean(i));
  const variance = (i: Value) => k.div(sum(i, (j) => k.mul(centered(i, j), centered(i, j))), length);
  const deviation = (i: Value) => k.unary("inverseSqrt", k.add(variance(i), 1e-5));
  g.output(
    "y",
    [rows, length],
    ([i, j]) => k.add(k.mul(k.mul(centered(i!, j!), deviation(i!)), gamma.at([j!])), beta.at([j!])),
  );
  return g;
}

/** dx from saved mean and deviation. */
export function layerNormBackward(rows: number, length: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const [x, dy] = [g.random("x", [rows, length]), g.random("dy", [rows, length])];
  const gamma = g.random("gamma", [length]);
  const [mean, deviation] = [g.random("mean", [rows]), g.random("deviation", [rows])];
  const normal = (i: Value, j: Value) => k.mul(k.sub(x.at([i, j]), mean.at([i])), deviation.at([i]));
  const scaled = (i: Value, j: Value) => k.mul(dy.at([i, j]), gamma.at([j]));
  const over = (i: Value, body: (j: Value) => Value) =>
    k.div(k.reduce("sum", [length], [i], ([j]) => body(j!)), length);
  g.output("dx", [rows, length], ([i, j]) => {
    const m1 = over(i!, (c) => scaled(i!, c));
    const m2 = over(i!, (c) => k.mul(scaled(i!, c), normal(i!, c)));
    return k.mul(deviation.at([i!]), k.sub(k.sub(scaled(i!, j!), m1), k.mul(normal(i!, j!), m2)));
  });
  return g;
}

/** dγ and dβ of a layer norm. */
export function columnSums(rows: number, columns: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const [x, dy] = [g.random("x", [rows, columns]), g.random("dy", [rows, columns])];
  const [mean, deviation] = [g.random("mean", [rows]), g.random("deviation", [rows])];
  const over = (c: Value, body: (r: Value) => Value) => k.reduce("sum", [rows], [c], ([r]) => body(r!));
  g.output("dGamma", [columns], ([c]) =>
    over(c!, (r) => {
      const normal = k.mul(k.sub(x.at([r, c!]), mean.at([r])), deviation.at([r]));
      return k.mul(dy.at([r, c!]), normal);
    }));
  g.output("dBeta", [columns], ([c]) => over(c!, (r) => dy.at([r, c!])));
  return g;
}

export function total(length: number): RowGroup {
  const g = new RowGroup();
  const x = g.random("x", [length]);
  g.output("sum", [], () => g.k.reduce("sum", [length], [], ([j]) => x.at([j!])));
  return g;
}

export function crossEntropy(rows: number, length: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [rows, length]);
  const label = g.input("label", [rows], Int32Array.from({ length: rows }, (_, i) => (i * 7919) % length));
  const max = (i: Value) => k.reduce("maxFast", [length], [i], ([j]) => x.at([i, j!]));
  const exp = (i: Value, j: Value) => numerics.exp(k, k.sub(x.at([i, j]), max(i)));
  const sum = (i: Value) => k.reduce("sum", [length], [i], ([j]) => exp(i, j!));
  const picked = (i: Value) =>
    k.reduce("sum", [length], [i], ([j]) => k.select(k.eq(j!, label.at([i])), x.at([i, j!]), 0));
  g.output("loss", [rows], ([i]) => k.sub(k.add(k.unary("log", sum(i!)), max(i!)), picked(i!)));
  g.output("dx", [rows, length], ([i, j]) => {
    const one = k.select(k.eq(j!, label.at([i!])), k.const(1), 0);
    return k.div(k.sub(k.div(exp(i!, j!), sum(i!)), one), rows);
  });
  return g;
}

const MB = 4e-6;
export const cases: readonly Case[] = [
  { name: "softmax 4096×1024", bytes: 2 * 4096 * 1024 * MB, make: () => softmax(4096, 1024) },
  {
    name: "softmax 4096×1024 with the target's exp",
    bytes: 2 * 4096 * 1024 * MB,
    make: () => softmax(4096, 1024, { exponential: "builtin" }),
  },
  {
    name: "softmax and lse 4096×1024",
    bytes: 2 * 4096 * 1024 * MB,
    make: () => softmax(4096, 1024, { logSumExp: true }),
  },
  {
    name: "softmax backward 4096×1024",
    bytes: 3 * 4096 * 1024 * MB,
    make: () => softmaxBackward(4096, 1024),
  },
  { name: "layer norm 4096×768", bytes: 2 * 4096 * 768 * MB, make: () => layerNorm(4096, 768) },
  { name: "layer norm dx 4096×768", bytes: 3 * 4096 * 768 * MB, make: () => layerNormBackward(4096, 768) },
  { name: "dγ, dβ 4096×768", bytes: 2 * 4096 * 768 * MB, make: () => columnSums(4096, 768) },
  { name: "sum 2^22", bytes: 2 ** 22 * MB, make: () => total(2 ** 22) },
  { name: "cross-entropy 64×50257", bytes: 2 * 64 * 50257 * MB, make: () => crossEntropy(64, 50257) },
  { name: "softmax 16×65536", bytes: 2 * 16 * 65536 * MB, make: () => softmax(16, 65536) },
  { name: "GPT: loss 512×96", bytes: 2 * 512 * 96 * MB, make: () => crossEntropy(512, 96) },
  { name: "GPT: layer norm 512×128", bytes: 2 * 512 * 128 * MB, make: () => layerNorm(512, 128) },
  { name: "GPT: dγ, dβ 512×128", bytes: 2 * 512 * 128 * MB, make: () => columnSums(512, 128) },
  { name: "MLP: loss 128×10", bytes: 2 * 128 * 10 * MB, make: () => crossEntropy(128, 10) },
  { name: "mean loss 512", bytes: 512 * MB, make: () => total(512) },
];

const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** A schedule's kernels with their buffers on a device. */
export class Prepared {
  /** Milliseconds. */
  readonly first: number;
  readonly kernels: number;
  readonly #device: GPUDevice;
  readonly #memory = new Map<string, GPUBuffer>();
  readonly #steps: { pipeline: GPUComputePipeline; bindings: GPUBindGroup; groups: number }[];

  constructor(device: GPUDevice, group: RowGroup, target: Target) {
    this.#device = device;
    for (const [name, data] of group.data) this.#upload(name, data);
    const kernels = group.schedule(target);
    this.kernels = kernels.length;
    for (const { scratch } of kernels) {
      for (const s of scratch) this.#upload(s.name, new Float32Array(s.size));
    }
    this.fence();
    const start = performance.now();
    this.#steps = kernels.map(({ kernel, buffers, params, groups }) => {
      const module = device.createShaderModule({ code: emitWgsl(kernel, { features: target.features }) });
      const pipeline = device.createComputePipeline({
        layout: "auto",
        compute: { module, entryPoint: "main" },
      });
      const resources = buffers.map((ref) => this.#memory.get(ref.name)!);
      const words = encodeUniforms(kernel, params, groups);
      if (words.length > 0) {
        const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
        const uniform = device.createBuffer({ size: words.byteLength, usage });
        device.queue.writeBuffer(uniform, 0, words);
        resources.push(uniform);
      }
      const entries = resources.map((buffer, binding) => ({ binding, resource: { buffer } }));
      const layout = pipeline.getBindGroupLayout(0);
      return { pipeline, groups, bindings: device.createBindGroup({ layout, entries }) };
    });
    this.run(1);
    this.fence();
    this.first = performance.now() - start;
  }

  #upload(name: string, data: HostView): void {
    if (this.#memory.has(name)) return;
    const size = Math.ceil(data.byteLength / 16) * 16;
    const buffer = this.#device.createBuffer({ size, usage: storage });
    this.#device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
    this.#memory.set(name, buffer);
  }

  run(times: number): void {
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
  fence(): void {
    this.#device.queue.onSubmittedWorkDone();
  }

  /** Milliseconds per run of `times` runs back to back. */
  time(times: number): number {
    const start = performance.now();
    this.run(times);
    this.fence();
    return (performance.now() - start) / times;
  }

  async read(name: string): Promise<Float32Array> {
    const source = this.#memory.get(name)!;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = this.#device.createBuffer({ size: source.size, usage });
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, staging, 0, source.size);
    this.#device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const data = new Float32Array(staging.getMappedRange()).slice();
    staging.destroy();
    return data;
  }

  destroy(): void {
    for (const buffer of this.#memory.values()) buffer.destroy();
  }
}

/** The median of a few measurements, each long enough for the wait at its end not to count. */
export function measure(prepared: { time(times: number): number }, rounds = 5): number {
  prepared.time(1);
  const times = Math.max(2, Math.min(256, Math.round(100 / prepared.time(2))));
  const measured = Array.from({ length: rounds }, () => prepared.time(times)).sort((a, b) => a - b);
  return measured[rounds >> 1]!;
}

export async function openDevice(): Promise<GPUDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("no adapter");
  const device = await adapter.requestDevice();
  device.addEventListener("uncapturederror", (event) => {
    console.error((event as GPUUncapturedErrorEvent).error.message);
  });
  return device;
}

if (import.meta.main) {
  const device = await openDevice();
  for (const { name, bytes, make } of cases) {
    if (Deno.args.length > 0 && !Deno.args.some((part) => name.includes(part))) continue;
    const prepared = new Prepared(device, make(), softwareTarget);
    const ms = measure(prepared);
    const rate = (bytes / ms).toFixed(1);
    const kernels = `${prepared.kernels} kernel${prepared.kernels === 1 ? "" : "s"}`;
    console.log(
      `${name.padEnd(28)} ${ms.toFixed(2).padStart(7)} ms  ${rate.padStart(5)} GB/s  ${kernels}  ` +
        `first ${prepared.first.toFixed(0)} ms`,
    );
    prepared.destroy();
  }
}
