/**
 * The two forms of a tensor's elements: typed arrays as users feed and read them, and bytes as a device keeps them.
 *
 * They differ for two types (SEMANTICS §3): `f16` is a Float32Array on the host and halves on the device, `bool` is a
 * Uint8Array on the host and 32-bit words of 0 and 1 on the device.
 * @module
 */

import { counted } from "../compiler/counted.ts";
import { deviceBytes, type DType, type StoredArray } from "../compiler/graph/dtype.ts";
import { RunError } from "../compiler/errors.ts";
import { wholeWords } from "./engine.ts";

const ARRAYS = {
  f32: Float32Array,
  f16: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  bool: Uint8Array,
} as const;

/** `a Float32Array of 6 elements`, for messages. */
export const arrayText = (dtype: DType, elements: number): string => named(ARRAYS[dtype].name, elements);

/** Throws where a run is given no record of feeds. */
export function assertFeeds(feeds: unknown): void {
  if (typeof feeds === "object" && feeds !== null) return;
  throw new RunError(`run(): takes a record of what each input is fed, and was given ${described(feeds)}.`);
}

/** What something that was given instead is, for the same messages. */
export function described(value: unknown): string {
  if (ArrayBuffer.isView(value) && "length" in value) {
    return named(value.constructor.name, Number(value.length));
  }
  if (Array.isArray(value)) return `an array of ${counted(value.length, "element")}; make it a typed array`;
  if (value instanceof Promise) return "a promise; await it first";
  if (value === null || value === undefined) return String(value);
  return typeof value === "object"
    ? `an object of class ${value.constructor?.name ?? "unknown"}`
    : `a ${typeof value}`;
}

const named = (className: string, elements: number): string =>
  `${/^[AEIO]/.test(className) ? "an" : "a"} ${className} of ${elements} ${
    elements === 1 ? "element" : "elements"
  }`;

/** Whether a value is the kind of array that tensors of a type are fed as. */
export const isStored = <D extends DType>(dtype: D, value: unknown): value is StoredArray<D> =>
  value instanceof ARRAYS[dtype];

/** Bytes of a tensor in device memory, without padding. */
export const deviceSize = (dtype: DType, elements: number): number => deviceBytes(dtype) * elements;

/**
 * The bytes to upload, whole words. Where the forms agree they are the array's own memory, not a copy; so use them
 * before the caller gets a chance to change the array.
 */
export function toDevice(dtype: DType, array: StoredArray): Uint8Array<ArrayBuffer> {
  if (dtype === "bool") return bytesOf(Uint32Array.from(array, (x) => x !== 0 ? 1 : 0));
  if (dtype === "f16") {
    const halves = new Float16Array(wholeWords(array.length * 2) / 2);
    halves.set(array);
    return bytesOf(halves);
  }
  // WebGPU doesn't take memory that other threads share.
  const { buffer, byteOffset, byteLength } = array;
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

/** The elements of a tensor from its device bytes, which become the array's memory where the forms agree. */
export function fromDevice<D extends DType>(
  dtype: D,
  bytes: Uint8Array<ArrayBuffer>,
  elements: number,
): StoredArray<D>;
export function fromDevice(dtype: DType, bytes: Uint8Array<ArrayBuffer>, elements: number): StoredArray {
  const { buffer, byteOffset } = bytes;
  switch (dtype) {
    case "f32":
      return new Float32Array(buffer, byteOffset, elements);
    case "f16":
      return new Float32Array(new Float16Array(buffer, byteOffset, elements));
    case "i32":
      return new Int32Array(buffer, byteOffset, elements);
    case "u32":
      return new Uint32Array(buffer, byteOffset, elements);
    case "bool":
      return Uint8Array.from(new Uint32Array(buffer, byteOffset, elements), (x) => x !== 0 ? 1 : 0);
  }
}

const bytesOf = (array: Uint32Array<ArrayBuffer> | Float16Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
