/**
 * The memory of a bundle on a device: its arenas, what is written there at load, and what is read back.
 * @module
 */

import type { BundleProgram, Manifest, Range } from "../manifest.ts";
import { ARRAYS, type Bytes, decode, type DType, elementBytes, toDevice, words } from "./elements.ts";
import { fail, openFile, PIECE, verified } from "./files.ts";
import { COPY_DST, COPY_SRC, MAP_READ, STORAGE } from "./pipelines.ts";
import type { HostArray, LoadOptions } from "./public.ts";

/** Buffers of each program's arenas. States are one memory for all programs; so is what nobody needs after a run. */
export function allocateArenas(
  programs: readonly BundleProgram[],
  allocate: (size: number, usage: number) => GPUBuffer,
): GPUBuffer[][] {
  const sizes: Record<string, number> = {};
  const keys = programs.map(({ arenas }, p) =>
    arenas.map(({ role, memory, bytes }, a) => {
      const key = `${role} ${memory ?? a} ${role === "constant" ? p : ""}`;
      sizes[key] = Math.max(bytes, sizes[key] ?? 0);
      return key;
    })
  );
  const buffers: Record<string, GPUBuffer> = {};
  return keys.map((list) =>
    list.map((key) => buffers[key] ??= allocate(sizes[key]!, STORAGE | COPY_SRC | COPY_DST))
  );
}

/** Streams the weights: each piece is checked, then written wherever it belongs. */
export async function streamWeights(
  base: URL,
  { weights, tensors, state }: Manifest,
  programs: readonly BundleProgram[],
  write: (program: number, range: Range, data: Bytes, at: number) => void,
  { onProgress }: LoadOptions,
): Promise<void> {
  let loaded = 0;
  const total = weights.reduce((sum, { bytes }) => sum + bytes, 0);
  const progress = (bytes: number) => onProgress?.(loaded += bytes, total);
  for (const [index, { file, header }] of weights.entries()) {
    const source = openFile(base, file);
    const next = async (bytes: number, hash: string) => await verified(await source.take(bytes), hash, file);
    try {
      progress((await next(header.bytes, header.sha256)).length);
      for (const [t, tensor] of tensors.entries()) {
        if (tensor.file !== index) continue;
        const places: [number, Range][] = [];
        state.forEach((slot, i) => slot.tensor === t && places.push([0, programs[0]!.state[i]!]));
        programs.forEach(({ constants }, p) =>
          constants.forEach(({ tensor, at }) => tensor === t && places.push([p, at]))
        );
        let written = 0;
        for (let at = 0; at < tensor.bytes; at += PIECE) {
          const bytes = Math.min(PIECE, tensor.bytes - at);
          const data = toDevice(tensor, await next(bytes, tensor.sha256[at / PIECE]!));
          if (written + data.length > words(tensor.elements * elementBytes(tensor.dtype))) {
            fail(`${tensor.name} is too long.`);
          }
          for (const place of places) write(...place, data, written);
          written += data.length;
          progress(bytes);
        }
      }
      if ((await source.take(1)).length) fail(`${file} is too long.`);
    } finally {
      await source.close();
    }
  }
}

/** What is read back: of which type, from which range. */
export type Wanted = readonly (readonly [DType, Range])[];

/** Submits what was encoded, and copies of the ranges; resolves to what they hold. */
export type Submit = (
  encoder: GPUCommandEncoder,
  wanted: Wanted,
  place: (range: Range) => [GPUBuffer, number],
) => Promise<HostArray[]>;

/** @param kept Buffers to be mapped by the next reads, of which there are a few. */
export const submitOn =
  ({ queue }: GPUDevice, kept: GPUBuffer[], make: (size: number) => GPUBuffer): Submit =>
  async (encoder, wanted, place) => {
    let end = 0;
    const offsets = wanted.map(([, [, , bytes]]) => {
      const offset = end;
      end += Math.ceil(bytes / 8) * 8;
      return offset;
    });
    const known = kept.findIndex(({ size }) => size === end);
    const staging = end ? kept.splice(known, +(known >= 0))[0] ?? make(end) : undefined;
    wanted.forEach(([, range], i) => {
      if (range[2]) encoder.copyBufferToBuffer(...place(range), staging!, offsets[i]!, words(range[2]));
    });
    queue.submit([encoder.finish()]);
    if (!staging) return wanted.map(([dtype]) => new ARRAYS[dtype](0));
    try {
      await staging.mapAsync(MAP_READ);
      const mapped = new Uint8Array(staging.getMappedRange().slice(0));
      staging.unmap();
      kept.push(staging);
      if (kept.length > 8) kept.shift()!.destroy();
      return wanted.map(([dtype, [, , bytes]], i) =>
        decode(dtype, mapped.subarray(offsets[i]!), bytes / elementBytes(dtype))
      );
    } catch (error) {
      staging.destroy();
      throw error;
    }
  };
