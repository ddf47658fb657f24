/**
 * A program turned into what a run encodes: pipelines, bind groups, and one uniform buffer with every dispatch's block,
 * all made once. A run then is a loop over this list and makes nothing.
 * @module
 */

import { emitWgsl, type WgslOptions } from "../../../compiler/emit/wgsl.ts";
import { encodeUniforms, uniformBytes } from "../../../compiler/emit/uniforms.ts";
import { CompileError, RunError } from "../../../compiler/errors.ts";
import { isRaw, type RawKernel } from "../../../compiler/kernel/raw.ts";
import type { Binding, Dispatch, Program } from "../../../compiler/program/program.ts";
import { wholeVectors, wholeWords } from "../../engine.ts";
import { turn } from "../../turn.ts";
import type { CompileAhead } from "./compile_ahead.ts";
import type { KernelText } from "./first_dispatch.ts";
import { scoped } from "./health.ts";
import type { GpuMemory } from "./memory.ts";
import type { Compiled, Pipelines } from "./pipelines.ts";
import { checkRaw, complaintOf } from "./raw_check.ts";

export interface PreparedDispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly x: number;
  readonly y: number;
}

/** A copy between two buffers. */
export interface PreparedCopy {
  readonly from: GPUBuffer;
  readonly fromOffset: number;
  readonly to: GPUBuffer;
  readonly toOffset: number;
  readonly bytes: number;
}

/** Dispatches that share a compute pass, or copies, which can't stand inside one. */
export type Segment =
  | { readonly kind: "pass"; readonly dispatches: readonly PreparedDispatch[] }
  | { readonly kind: "copies"; readonly copies: readonly PreparedCopy[] };

/** A kernel that may be tried on other memory than the program's. */
export interface PreparedKernel {
  readonly text: KernelText;
  readonly compiled: Compiled;
}

export interface Prepared {
  /** Those who compile its kernels ahead, until they are disposed. */
  readonly ahead: CompileAhead | undefined;
  /** The kernels that Weft wrote. */
  readonly kernels: readonly PreparedKernel[];
  readonly segments: readonly Segment[];
  /** Buffers made here: uniform blocks, and the way-station of copies within one arena. */
  readonly buffers: readonly GPUBuffer[];
}

/** Dispatches between two turns of the event loop while bind groups are made. */
const DISPATCHES_PER_TURN = 256;

/** `compileAhead` begins it for kernels that the device has not compiled yet. */
export async function prepare(
  device: GPUDevice,
  pipelines: Pipelines,
  program: Program,
  arenas: readonly GpuMemory[],
  options: WgslOptions,
  compileAhead: (kernels: readonly KernelText[]) => CompileAhead | undefined,
): Promise<Prepared> {
  const kernels = kernelsOf(program, options);
  const ahead = compileAhead(kernels.filter(({ raw, code }) => !raw && !pipelines.has(code)));
  const buffers: GPUBuffer[] = [];
  try {
    const compiled = await compileKernels(device, pipelines, kernels, options);
    const uniforms = makeUniforms(device, program);
    if (uniforms.buffer !== undefined) buffers.push(uniforms.buffer);
    const segments: Segment[] = [];
    let dispatches: PreparedDispatch[] = [];
    const endPass = () => {
      if (dispatches.length > 0) segments.push({ kind: "pass", dispatches });
      dispatches = [];
    };
    let index = 0;
    for (const step of program.steps) {
      if (step.kind === "copy") {
        endPass();
        segments.push({ kind: "copies", copies: prepareCopy(device, step.copy, arenas, buffers) });
        continue;
      }
      const { dispatch } = step;
      const block = uniforms.blocks[index++];
      if (index % DISPATCHES_PER_TURN === 0) await turn();
      if (dispatch.groups === 0) continue;
      const { pipeline, layout } = compiled[dispatch.kernel]!;
      const entries = dispatch.bindings.map((binding, i) => bufferEntry(i, binding, arenas));
      if (block !== undefined) {
        const { offset, size } = block;
        entries.push({ binding: entries.length, resource: { buffer: uniforms.buffer!, offset, size } });
      }
      const bindGroup = await scoped(
        device,
        `The GPU refuses the buffers of "${dispatch.label}"`,
        () => device.createBindGroup({ label: dispatch.label, layout, entries }),
      );
      dispatches.push({ pipeline, bindGroup, ...foldGroups(dispatch.groups, device.limits) });
    }
    endPass();
    const own = kernels.map((text, i) => ({ text, compiled: compiled[i]! })).filter(({ text }) => !text.raw);
    return { ahead, kernels: own, segments, buffers };
  } catch (error) {
    ahead?.[Symbol.dispose]();
    for (const buffer of buffers) buffer.destroy();
    throw error;
  }
}

/** A linear number of workgroups as a grid; the kernel leaves out what is beyond the number. */
function foldGroups(
  groups: number,
  { maxComputeWorkgroupsPerDimension: limit }: { readonly maxComputeWorkgroupsPerDimension: number },
): { readonly x: number; readonly y: number } {
  return groups <= limit ? { x: groups, y: 1 } : { x: limit, y: Math.ceil(groups / limit) };
}

interface ProgramKernel extends KernelText {
  /** The kernel itself, where a user wrote it. */
  readonly raw: RawKernel | undefined;
}

/** The program's kernels as the device takes them, with what their first dispatch is called and binds. */
function kernelsOf(program: Program, options: WgslOptions): readonly ProgramKernel[] {
  const first = new Map<number, Dispatch>();
  for (const step of program.steps) {
    if (step.kind === "dispatch" && !first.has(step.dispatch.kernel)) {
      first.set(step.dispatch.kernel, step.dispatch);
    }
  }
  return program.kernels.map((kernel, index) => {
    const dispatch = first.get(index);
    return {
      code: emitWgsl(kernel, options),
      accesses: kernel.buffers.map(({ access }) => access),
      bytes: dispatch?.bindings.map(({ bytes }) => wholeVectors(bytes)) ?? [],
      uniformBytes: uniformBytes(kernel),
      label: dispatch?.label ?? `kernel ${index}`,
      raw: isRaw(kernel) ? kernel : undefined,
    };
  });
}

async function compileKernels(
  device: GPUDevice,
  pipelines: Pipelines,
  kernels: readonly ProgramKernel[],
  options: WgslOptions,
): Promise<readonly Compiled[]> {
  const compiled: Compiled[] = [];
  for (const { code, accesses, uniformBytes, label, raw } of kernels) {
    const compile = () => pipelines.get(code, accesses, uniformBytes > 0, label);
    if (raw !== undefined) {
      await checkRaw(device, raw, options.features);
      compiled.push(await compile().catch((cause) => refuse(raw, cause)));
    } else compiled.push(await compile());
  }
  return compiled;
}

/** What the text alone did not tell: too much workgroup memory, for one. */
function refuse({ name, origin }: RawKernel, cause: unknown): never {
  if (!(cause instanceof RunError)) throw cause;
  throw new CompileError(`customKernel(${name}): ${complaintOf(cause.what)}`, { origin, cause });
}

interface Uniforms {
  readonly buffer: GPUBuffer | undefined;
  /** Of each dispatch in order; undefined where its kernel has no block. */
  readonly blocks: readonly ({ readonly offset: number; readonly size: number } | undefined)[];
}

/** Equal blocks are stored once: a layer repeated over other weights has the same one. */
function makeUniforms(device: GPUDevice, program: Program): Uniforms {
  const offsets = new Map<string, number>();
  const contents: Uint32Array[] = [];
  let bytes = 0;
  const blocks = program.steps.filter((step) => step.kind === "dispatch").map(({ dispatch }) => {
    const block = encodeUniforms(program.kernels[dispatch.kernel]!, dispatch.params, dispatch.groups);
    if (block.length === 0) return undefined;
    const key = block.join();
    let offset = offsets.get(key);
    if (offset === undefined) {
      offset = bytes;
      offsets.set(key, offset);
      contents.push(block);
      bytes += Math.ceil(block.byteLength / 256) * 256;
    }
    return { offset, size: block.byteLength };
  });
  if (bytes === 0) return { buffer: undefined, blocks };
  const all = new Uint32Array(bytes / 4);
  [...offsets.values()].forEach((offset, i) => all.set(contents[i]!, offset / 4));
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ label: "uniform blocks", size: bytes, usage });
  device.queue.writeBuffer(buffer, 0, all);
  return { buffer, blocks };
}

function bufferEntry(index: number, binding: Binding, arenas: readonly GpuMemory[]): GPUBindGroupEntry {
  const { buffer } = arenas[binding.arena]!;
  return { binding: index, resource: { buffer, offset: binding.offset, size: wholeVectors(binding.bytes) } };
}

/** WebGPU doesn't copy within one buffer, so such a copy goes through another. */
function prepareCopy(
  device: GPUDevice,
  { from, to }: { readonly from: Binding; readonly to: Binding },
  arenas: readonly GpuMemory[],
  buffers: GPUBuffer[],
): readonly PreparedCopy[] {
  const source = { buffer: arenas[from.arena]!.buffer, offset: from.offset };
  const target = { buffer: arenas[to.arena]!.buffer, offset: to.offset };
  const bytes = wholeWords(from.bytes);
  if (bytes === 0) return [];
  const between = (a: typeof source, b: typeof source): PreparedCopy => (
    { from: a.buffer, fromOffset: a.offset, to: b.buffer, toOffset: b.offset, bytes }
  );
  if (source.buffer !== target.buffer) return [between(source, target)];
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const station = {
    buffer: device.createBuffer({ label: "copy within an arena", size: bytes, usage }),
    offset: 0,
  };
  buffers.push(station.buffer);
  return [between(source, station), between(station, target)];
}
