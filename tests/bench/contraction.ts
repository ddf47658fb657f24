/**
 * How fast contractions run on this machine's adapter, and how long their first dispatch takes.
 *
 *     deno run -A runtime/setup/main.ts tests/bench/contraction.ts [name…]
 *
 * `first` is making the pipeline and the first run; it is a cold one only where the driver's cache is off. On a shared
 * machine times drift by a factor of two within minutes: compare what one call printed.
 *
 * @module
 */

import { encodeUniforms } from "../../compiler/emit/uniforms.ts";
import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import type { ScheduledKernel } from "../../compiler/schedule/group.ts";
import { softwareTarget, type Target } from "../../compiler/target.ts";
import { Group } from "../unit/schedule/contraction_support.ts";

export interface Case {
  readonly name: string;
  readonly flop: number;
  /** GFLOP/s of the best kernel written by hand for just these sizes (lavapipe of Mesa 25, two idle cores). */
  readonly byHand?: number;
  readonly make: () => Group;
}

type Order = readonly number[];
const rowMajor: Order = [0, 1];
const transposed: Order = [1, 0];

/** y[M, N] = a[M, K] · b[K, N] with operands in either order, and what stands before and behind the sum. */
export function matmul(
  [M, K, N]: readonly [number, number, number],
  a: Order = rowMajor,
  b: Order = rowMajor,
  before: (g: Group, x: Value) => Value = (_, x) => x,
  behind: (g: Group, y: Value, m: Value, n: Value) => Value = (_, y) => y,
): Group {
  const g = new Group();
  const left = g.input("a", [M, K], a);
  const right = g.input("b", [K, N], b);
  g.output("y", [M, N], ([m, n]) => {
    const sum = g.k.reduce("sum", [K], [m!, n!], ([i]) => {
      return g.k.mul(before(g, left.at([m!, i!])), right.at([i!, n!]));
    });
    return behind(g, sum, m!, n!);
  });
  return g;
}

/** Products of a stack of matrices. */
export function batched([B, M, K, N]: readonly [number, number, number, number]): Group {
  const g = new Group();
  const a = g.input("a", [B, M, K]);
  const b = g.input("b", [B, K, N]);
  g.output(
    "y",
    [B, M, N],
    ([x, m, n]) =>
      g.k.reduce("sum", [K], [x!, m!, n!], ([i]) => g.k.mul(a.at([x!, m!, i!]), b.at([x!, i!, n!]))),
  );
  return g;
}

/** A convolution with a border of zeros, so that the image keeps its size. */
export function convolution([B, C, O, X, W]: readonly [number, number, number, number, number]): Group {
  const g = new Group();
  const { k } = g;
  const x = g.input("x", [B, C, X, X]);
  const w = g.input("w", [O, C, W, W]);
  const border = (W - 1) / 2;
  g.output("y", [B, O, X, X], ([n, o, i, j]) =>
    k.reduce("sum", [C, W, W], [n!, o!, i!, j!], ([c, u, v]) => {
      const row = k.affine([[i!, 1], [u!, 1]], -border);
      const column = k.affine([[j!, 1], [v!, 1]], -border);
      const inside = [k.le(0, row), k.lt(row, X), k.le(0, column), k.lt(column, X)].reduce((p, q) =>
        k.and(p, q)
      );
      return k.mul(k.guard(inside, x.at([n!, c!, row, column]), 0), w.at([o!, c!, u!, v!]));
    }));
  return g;
}

/** Its gradient by the weights: a long sum over images and pixels. */
export function weightGradient([B, C, O, X, W]: readonly [number, number, number, number, number]): Group {
  const g = new Group();
  const { k } = g;
  const x = g.input("x", [B, C, X, X]);
  const dy = g.input("dy", [B, O, X, X]);
  const border = (W - 1) / 2;
  g.output("dw", [O, C, W, W], ([o, c, u, v]) =>
    k.reduce("sum", [B, X, X], [o!, c!, u!, v!], ([n, i, j]) => {
      const row = k.affine([[i!, 1], [u!, 1]], -border);
      const column = k.affine([[j!, 1], [v!, 1]], -border);
      const inside = [k.le(0, row), k.lt(row, X), k.le(0, column), k.lt(column, X)].reduce((p, q) =>
        k.and(p, q)
      );
      return k.mul(dy.at([n!, o!, i!, j!]), k.guard(inside, x.at([n!, c!, row, column]), 0));
    }));
  return g;
}

const square = (n: number): [number, number, number] => [n, n, n];
const silu = ({ k }: Group, x: Value) => k.div(x, k.add(1, k.unary("exp", k.unary("neg", x))));
const biasTanh = (g: Group, y: Value, m: Value, n: Value): Value => {
  const bias = g.input("bias", [512]);
  const residual = g.input("residual", [512, 512]);
  return g.k.add(g.k.unary("tanh", g.k.add(y, bias.at([n]))), residual.at([m, n]));
};

export const cases: readonly Case[] = [
  { name: "matmul 256", flop: 2 * 256 ** 3, byHand: 47, make: () => matmul(square(256)) },
  { name: "matmul 512", flop: 2 * 512 ** 3, byHand: 55, make: () => matmul(square(512)) },
  { name: "matmul 1024", flop: 2 * 1024 ** 3, byHand: 58, make: () => matmul(square(1024)) },
  { name: "A·Bᵀ 512", flop: 2 * 512 ** 3, byHand: 51, make: () => matmul(square(512), rowMajor, transposed) },
  { name: "Aᵀ·B 512", flop: 2 * 512 ** 3, byHand: 47, make: () => matmul(square(512), transposed, rowMajor) },
  { name: "Aᵀ·Bᵀ 512", flop: 2 * 512 ** 3, make: () => matmul(square(512), transposed, transposed) },
  {
    name: "tanh(silu(A)·B + b) + C",
    flop: 2 * 512 ** 3,
    make: () => matmul(square(512), rowMajor, rowMajor, silu, biasTanh),
  },
  {
    name: "batched 16×128×64×128",
    flop: 2 * 16 * 128 * 64 * 128,
    byHand: 51,
    make: () => batched([16, 128, 64, 128]),
  },
  { name: "GPT 512×128×512", flop: 2 * 512 * 128 * 512, make: () => matmul([512, 128, 512]) },
  { name: "GPT 512×512×128", flop: 2 * 512 * 512 * 128, make: () => matmul([512, 512, 128]) },
  { name: "GPT dW 128×512×512", flop: 2 * 128 * 512 * 512, make: () => matmul([128, 512, 512], transposed) },
  { name: "GPT logits 512×128×65", flop: 2 * 512 * 128 * 65, make: () => matmul([512, 128, 65]) },
  {
    name: "GPT logits dW 128×512×65",
    flop: 2 * 512 * 128 * 65,
    make: () => matmul([128, 512, 65], transposed),
  },
  {
    name: "GPT logits dX 512×65×128",
    flop: 2 * 512 * 128 * 65,
    make: () => matmul([512, 65, 128], rowMajor, transposed),
  },
  { name: "MLP 128×784×512", flop: 2 * 128 * 784 * 512, make: () => matmul([128, 784, 512]) },
  { name: "MLP dW 784×128×512", flop: 2 * 128 * 784 * 512, make: () => matmul([784, 128, 512], transposed) },
  { name: "MLP 128×256×10", flop: 2 * 128 * 256 * 10, make: () => matmul([128, 256, 10]) },
  { name: "odd 127×1023×65", flop: 2 * 127 * 1023 * 65, make: () => matmul([127, 1023, 65]) },
  {
    name: "conv 8×32×56×56, 64 of 3×3",
    flop: 2 * 8 * 64 * 56 * 56 * 288,
    byHand: 73,
    make: () => convolution([8, 32, 64, 56, 3]),
  },
  {
    name: "conv dW 8×32×56×56, 64 of 3×3",
    flop: 2 * 8 * 64 * 56 * 56 * 288,
    byHand: 38,
    make: () => weightGradient([8, 32, 64, 56, 3]),
  },
];

const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** Kernels with their buffers on a device. */
export class Prepared {
  /** Milliseconds. */
  readonly first: number;
  readonly #device: GPUDevice;
  readonly #memory = new Map<string, GPUBuffer>();
  readonly #steps: {
    readonly pipeline: GPUComputePipeline;
    readonly bindings: GPUBindGroup;
    readonly groups: number;
  }[];

  constructor(device: GPUDevice, group: Group, kernels: readonly ScheduledKernel[], target: Target) {
    this.#device = device;
    for (const [name, data] of group.data) this.#upload(name, data);
    for (const { scratch } of kernels) {
      for (const s of scratch) this.#upload(s.name, new Float32Array(s.size));
    }
    this.fence();
    const start = performance.now();
    this.#steps = kernels.map((scheduled) => this.#step(scheduled, target));
    this.run(1);
    this.fence();
    this.first = performance.now() - start;
  }

  #upload(name: string, data: Float32Array | Int32Array): void {
    const buffer = this.#device.createBuffer({ size: Math.ceil(data.byteLength / 16) * 16, usage: storage });
    this.#device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
    this.#memory.set(name, buffer);
  }

  #step({ kernel, buffers, params, groups }: ScheduledKernel, target: Target) {
    const device = this.#device;
    const module = device.createShaderModule({ code: emitWgsl(kernel, { features: target.features }) });
    const pipeline = device.createComputePipeline({
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    const resources = buffers.map((ref) => this.#memory.get(ref.name)!);
    const words = encodeUniforms(kernel, params, groups);
    if (words.length > 0) {
      const uniform = device.createBuffer({
        size: words.byteLength,
        usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      });
      device.queue.writeBuffer(uniform, 0, words);
      resources.push(uniform);
    }
    const entries = resources.map((buffer, binding) => ({ binding, resource: { buffer } }));
    return {
      pipeline,
      groups,
      bindings: device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }),
    };
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

  /** Brings a result back into the group's data. */
  async read(group: Group, name: string): Promise<void> {
    const data = group.data.get(name)!;
    const staging = this.#device.createBuffer({
      size: data.byteLength,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.#memory.get(name)!, 0, staging, 0, data.byteLength);
    this.#device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    (data as Float32Array).set(new Float32Array(staging.getMappedRange()));
    staging.destroy();
  }

  destroy(): void {
    for (const buffer of this.#memory.values()) buffer.destroy();
  }
}

/** The median of a few measurements, each long enough for the wait at its end not to count. */
export function measure(prepared: Prepared, rounds = 5): number {
  prepared.time(1);
  const once = prepared.time(2);
  const times = Math.max(2, Math.min(64, Math.round(150 / once)));
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
  for (const { name, flop, byHand, make } of cases) {
    if (Deno.args.length > 0 && !Deno.args.some((part) => name.includes(part))) continue;
    const group = make();
    const kernels = group.schedule(softwareTarget);
    const prepared = new Prepared(device, group, kernels, softwareTarget);
    const ms = measure(prepared);
    for (const root of group.roots) await prepared.read(group, root.buffer.name);
    group.spotCheck();
    const rate = (flop / ms / 1e6).toFixed(1);
    console.log(
      `${name.padEnd(28)} ${ms.toFixed(2)} ms  ${rate} GFLOP/s${
        byHand ? ` (by hand ${byHand})` : ""
      }  first ${prepared.first.toFixed(0)} ms`,
    );
    prepared.destroy();
  }
}
