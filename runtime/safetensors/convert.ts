/**
 * Elements between a file's types and Weft's.
 *
 * Every type of Weft has one of the file's, and three more are read: `BF16` and `F64` as f32, `I64` as i32. Widening is
 * exact; F64 rounds to nearest; an I64 outside the range of i32 is an error, since indices that wrap are wrong silently.
 * @module
 */

import { RunError } from "../../compiler/errors.ts";
import type { DType, StoredArray } from "../../compiler/graph/dtype.ts";

/** The file's type that a tensor is written as. */
export const FILE_TYPES: Readonly<Record<DType, string>> = {
  f32: "F32",
  f16: "F16",
  i32: "I32",
  u32: "U32",
  bool: "BOOL",
};

/** The types that a file's type can be read as; the first is the one it is read as where none is asked for. */
const READABLE: Readonly<Record<string, readonly DType[]>> = {
  F32: ["f32"],
  F16: ["f16", "f32"],
  BF16: ["f32"],
  F64: ["f32"],
  I32: ["i32"],
  I64: ["i32"],
  U32: ["u32"],
  BOOL: ["bool"],
};

/** The types that tensors of a file's type can be read as, the closest first; empty where Weft can't read it. */
export const readableAs = (fileType: string): readonly DType[] =>
  Object.hasOwn(READABLE, fileType) ? READABLE[fileType]! : [];

/** The elements of a tensor; `bytes` begins at the start of its buffer. The caller has checked `readableAs`. */
export function decodeElements(fileType: string, bytes: Uint8Array<ArrayBuffer>, name: string): StoredArray {
  const { buffer, byteLength } = bytes;
  switch (fileType) {
    case "F32":
      return new Float32Array(buffer, 0, byteLength / 4);
    case "F16":
      return new Float32Array(new Float16Array(buffer, 0, byteLength / 2));
    case "BF16": // the upper half of an f32
      return new Float32Array(
        Uint32Array.from(new Uint16Array(buffer, 0, byteLength / 2), (x) => x << 16).buffer,
      );
    case "F64":
      return new Float32Array(new Float64Array(buffer, 0, byteLength / 8));
    case "I32":
      return new Int32Array(buffer, 0, byteLength / 4);
    case "I64":
      return narrow(new BigInt64Array(buffer, 0, byteLength / 8), name);
    case "U32":
      return new Uint32Array(buffer, 0, byteLength / 4);
    default: // BOOL
      return bytes.map((x) => x !== 0 ? 1 : 0);
  }
}

/** The bytes that a file holds for a tensor. Where the forms agree they are the array's own memory. */
export function encodeElements(dtype: DType, array: StoredArray): Uint8Array<ArrayBufferLike> {
  if (dtype === "f16") return new Uint8Array(new Float16Array(array).buffer);
  if (dtype === "bool") return Uint8Array.from(array, (x) => x !== 0 ? 1 : 0);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function narrow(wide: BigInt64Array, name: string): Int32Array {
  const narrowed = new Int32Array(wide.length);
  for (let i = 0; i < wide.length; i++) {
    narrowed[i] = Number(wide[i]!);
    if (BigInt(narrowed[i]!) !== wide[i]) {
      throw new RunError(
        `"${name}" holds ${wide[i]} at element ${i}, which has no i32; Weft has no 64-bit integers.`,
      );
    }
  }
  return narrowed;
}
