/**
 * The weight files of a bundle: safetensors, as few as 2 GiB allow, with hashes by piece so that a stream can be checked
 * as it comes.
 *
 * Tensors that are only zeros (fresh moments of an optimizer) are not written: memory begins as zeros.
 * @module
 */

import { createHash } from "node:crypto";
import type { ConstantData } from "../../compiler/bundle/compile_variants.ts";
import {
  type FileType,
  pieceBytes,
  type StoredTensor,
  type WeightFile,
} from "../../compiler/bundle/manifest.ts";
import type { DType, StoredArray } from "../../compiler/graph/dtype.ts";
import { encodeElements, FILE_TYPES } from "../safetensors/convert.ts";
import { buildHeader, elementBytes } from "../safetensors/header.ts";

/** A tensor that is to be stored. */
export interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  /** What a device holds. */
  readonly dtype: DType;
  /** How the file has it. */
  readonly stored: DType;
  readonly data: StoredArray;
}

export interface WeightFiles {
  readonly weights: readonly WeightFile[];
  readonly tensors: readonly StoredTensor[];
  /** The bytes of each file, in parts. */
  readonly contents: readonly (readonly Uint8Array<ArrayBufferLike>[])[];
}

/** What one file may have at most: older servers, file systems and `ArrayBuffer`s end at 2 GiB. */
const shardBytes = 2 * 2 ** 30;

/** Constants of programs as tensors; they are named by their contents' place. */
export const constantWeights = (constants: readonly ConstantData[]): Weight[] =>
  constants.map(({ dtype, data }, i) => ({
    name: `constant/${i}`,
    shape: [data.length / 4],
    dtype,
    stored: dtype,
    data: new Uint32Array(data.buffer, data.byteOffset, data.length / 4),
  }));

/** Whether a tensor has to be stored. −0 is not zero. */
export const isZero = (data: StoredArray): boolean => data.every((x) => Object.is(x, 0));

/** Wide types first: then every tensor of a file starts at a multiple of its element's size. */
export const widestFirst = (weights: readonly Weight[]): Weight[] =>
  weights.toSorted((a, b) => widthOf(b) - widthOf(a));

const widthOf = ({ stored }: Weight): number => elementBytes(FILE_TYPES[stored])!;

/**
 * @param all In the order in which they are to lie, the widest first.
 * @param most Bytes per file, without its header.
 */
export function weightFiles(all: readonly Weight[], most = shardBytes): WeightFiles {
  const shards: Weight[][] = [];
  let room = -1;
  for (const weight of all) {
    const bytes = weight.data.length * widthOf(weight);
    if (bytes > room) {
      shards.push([]);
      room = most;
    }
    shards.at(-1)!.push(weight);
    room -= bytes;
  }
  const weights: WeightFile[] = [];
  const tensors: StoredTensor[] = [];
  const contents: Uint8Array<ArrayBufferLike>[][] = [];
  for (const [file, members] of shards.entries()) {
    const header = buildHeader(
      members.map(({ name, shape, stored }) => ({ name, shape, dtype: FILE_TYPES[stored] })),
      undefined,
    );
    const parts: Uint8Array<ArrayBufferLike>[] = [header];
    let offset = header.length;
    for (const { name, dtype, stored, data } of members) {
      const bytes = encodeElements(stored, data);
      parts.push(bytes);
      tensors.push({
        name,
        dtype,
        fileType: FILE_TYPES[stored] as FileType,
        elements: data.length,
        file,
        offset,
        bytes: bytes.length,
        sha256: piecesOf(bytes).map(hashOf),
      });
      offset += bytes.length;
    }
    weights.push({
      file: shards.length === 1
        ? "weights.safetensors"
        : `weights-${numbered(file + 1)}-of-${numbered(shards.length)}.safetensors`,
      bytes: offset,
      header: { bytes: header.length, sha256: hashOf(header) },
    });
    contents.push(parts);
  }
  return { weights, tensors, contents };
}

const numbered = (n: number): string => String(n).padStart(5, "0");

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function piecesOf(bytes: Uint8Array): Uint8Array[] {
  const count = Math.ceil(bytes.length / pieceBytes);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes));
}
