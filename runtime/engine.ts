/**
 * What executes programs: the line between the runtime, which knows names, shapes and rings, and a device, which knows
 * bytes and kernels.
 *
 * Whatever an engine is asked to do happens in the order of asking. `write`, `copy` and a runner's `run` return at once
 * (on an engine that computes elsewhere, before anything is computed); a `read` sees the bytes as they are at its place
 * in that order, however late its promise is looked at. So nobody but an engine ever needs to know what is in flight.
 * @module
 */

import { InternalError } from "../compiler/errors.ts";
import { deviceBytes } from "../compiler/graph/dtype.ts";
import type { Arena, Binding, Program } from "../compiler/program/program.ts";

/** Bytes on a device, zero at first, owned by whoever allocated them. */
export interface Memory {
  readonly bytes: number;
  /** Resolves when the device is known to have had room; rejects with a sentence where it had not. */
  confirm(): Promise<void>;
  /** Frees the bytes now; the garbage collector can't see how much a handle weighs. A second call does nothing. */
  destroy(): void;
}

/** Where something lies. */
export interface Place {
  readonly memory: Memory;
  readonly offset: number;
}

/** A copy between two memories; all of its numbers are multiples of 4. */
export interface Transfer {
  readonly from: Place;
  readonly to: Place;
  readonly bytes: number;
}

/** What a memory is for: a program's arena by its role, or a result that the runtime holds. */
export type MemoryUse = Arena["role"] | "result";

/** A program made ready for a device: nothing is made or compiled any more when it runs. */
export interface Runner {
  /** Has the driver compile what it would otherwise compile in the first run; reads and writes none of the memory. */
  warmUp(): Promise<void>;
  /** One run: the transfers before, all steps of the program, the transfers after. */
  run(before: readonly Transfer[], after: readonly Transfer[]): void;
  /** The same, one dispatch after the other; resolves to the milliseconds of each dispatch, in order. */
  time(before: readonly Transfer[], after: readonly Transfer[]): Promise<readonly number[]>;
  dispose(): void;
}

/**
 * What a runner's `time` reads: `timestamps` that the device writes around each dispatch; `fences`, the time from asking to
 * having waited, less that of asking for nothing, an upper bound; `calls`, the time that the function ran.
 */
export type Clock = "timestamps" | "fences" | "calls";

export interface Engine {
  readonly kind: "webgpu" | "cpu";
  readonly clock: Clock;
  /** Throws the reason where nothing can be computed any more: disposed, lost, or an error whose effects are unknown. */
  assertUsable(): void;
  allocate(bytes: number, use: MemoryUse, label: string): Memory;
  /** Bytes to a place; offset and length are multiples of 4. The array may be changed as soon as the call returns. */
  write(to: Place, data: Uint8Array<ArrayBuffer>): void;
  copy(transfer: Transfer): void;
  /** An array of its own with the bytes as they are at this point of the order. */
  read(from: Place, bytes: number): Promise<Uint8Array<ArrayBuffer>>;
  load(program: Program, arenas: readonly Memory[]): Promise<Runner>;
  /** Resolves when everything asked for is done; timers and input get their turn meanwhile. */
  idle(): Promise<void>;
  dispose(): void;
}

/** Sizes of copies and bindings: whole 32-bit words, as WebGPU wants them. */
export const wholeWords = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/** Bindings are rounded up to whole vec4s, as a kernel may declare its arrays; regions are 256 bytes apart. */
export const wholeVectors = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/**
 * A range outside its memory is always a mistake of Weft's own, and one that WebGPU answers by ending the process
 * (`writeBuffer`) or by an error long after; so each is checked here, where the stack still tells who asked.
 */
export function checkRange(what: string, { memory, offset }: Place, bytes: number): void {
  if (offset >= 0 && bytes >= 0 && offset % 4 === 0 && bytes % 4 === 0 && offset + bytes <= memory.bytes) {
    return;
  }
  throw new InternalError(
    "runtime",
    `${what}: bytes ${offset} … ${offset + bytes} of a memory of ${memory.bytes}`,
  );
}

/**
 * Whether a program's steps fit its own arenas and kernels: the part of the compiler's promises on which an engine's
 * safety rests. Costs microseconds and is done at every load, since a program may come from a file.
 */
export function checkProgram(program: Program): void {
  const fail = (message: string): never => {
    throw new InternalError("program", message);
  };
  const checkBinding = (binding: Binding, where: string) => {
    const arena = program.arenas[binding.arena] ??
      fail(`${where} binds arena ${binding.arena}, which there is not`);
    if (binding.offset % 256 !== 0 || binding.offset < 0 || binding.offset + binding.bytes > arena.bytes) {
      fail(
        `${where} binds bytes ${binding.offset} … ${
          binding.offset + binding.bytes
        } of arena "${arena.name}", which has ` +
          `${arena.bytes}; offsets must be multiples of 256`,
      );
    }
  };
  for (const { name, bytes } of program.arenas) {
    if (bytes <= 0 || bytes % 256 !== 0) fail(`arena "${name}" has ${bytes} bytes, not a multiple of 256`);
  }
  for (const step of program.steps) {
    if (step.kind === "copy") {
      const { from, to } = step.copy;
      checkBinding(from, "a copy");
      checkBinding(to, "a copy");
      if (from.bytes !== to.bytes) fail(`a copy of ${from.bytes} bytes to ${to.bytes}`);
      continue;
    }
    const { label, kernel: index, bindings, params, groups } = step.dispatch;
    const kernel = program.kernels[index] ?? fail(`"${label}" runs kernel ${index}, which there is not`);
    if (bindings.length !== kernel.buffers.length || params.length !== kernel.params.length) {
      fail(
        `"${label}" has ${bindings.length} bindings and ${params.length} parameters for a kernel of ` +
          `${kernel.buffers.length} and ${kernel.params.length}`,
      );
    }
    if (groups > kernel.groups) {
      fail(`"${label}" dispatches ${groups} groups of a kernel for ${kernel.groups}`);
    }
    kernel.buffers.forEach(({ name, dtype, size }, i) => {
      const binding = bindings[i]!;
      checkBinding(binding, `"${label}"`);
      if (wholeVectors(binding.bytes) >= size * deviceBytes(dtype)) return;
      fail(`"${label}" binds ${binding.bytes} bytes for "${name}", ${size} elements of ${dtype}`);
    });
  }
  for (const { name, region } of [...program.inputs, ...program.outputs, ...program.state]) {
    if (region.bytes > 0) checkBinding(region, `"${name}"`);
  }
  for (const { region, data } of program.constants) {
    if (region.bytes > 0) checkBinding(region, "a constant");
    if (data.byteLength !== region.bytes) {
      fail(`a constant of ${data.byteLength} bytes for a region of ${region.bytes}`);
    }
  }
}
