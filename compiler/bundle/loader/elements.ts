/**
 * Elements in their three forms: typed arrays of the host, bytes of a device, bytes of a file.
 * @module
 */

import type { StoredTensor } from "../manifest.ts";
import type { HostArray } from "./public.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export const ARRAYS = {
  f32: Float32Array,
  f16: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  bool: Uint8Array,
};
export type DType = keyof typeof ARRAYS;

/** Conversions of halves, which few bundles need. */
let halves: typeof import("./halves.ts");

/** To be awaited before anything that is f16 in a bundle, or stored so, is used. */
export const loadHalves = (): Promise<unknown> => import("./halves.ts").then((module) => halves = module);

/** Bytes of an element on a device. */
export const elementBytes = (dtype: DType): number => dtype === "f16" ? 2 : 4;
export const words = (bytes: number): number => Math.ceil(bytes / 4) * 4;
export const product = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);
export const bytesOf = (array: ArrayBufferView): Bytes =>
  new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);

/** As a device keeps it, whole words. A copy. */
export function encode(dtype: DType, array: HostArray): Bytes {
  if (dtype === "bool") return bytesOf(Uint32Array.from(array, (x) => +!!x));
  return bytesOf(dtype === "f16" ? halves.encodeHalves(array) : array.slice());
}

/** From a device's bytes, which become the array's own where the forms agree. */
export function decode(dtype: DType, { buffer, byteOffset }: Bytes, count: number): HostArray {
  if (dtype === "bool") return Uint8Array.from(new Uint32Array(buffer, byteOffset, count), (x) => +!!x);
  if (dtype === "f16") return halves.decodeHalves(new Uint16Array(buffer, byteOffset, count));
  return new ARRAYS[dtype](buffer, byteOffset, count);
}

/** Elements as a file has them, as a device keeps them; whole words. */
export function toDevice({ dtype, fileType }: Pick<StoredTensor, "dtype" | "fileType">, bytes: Bytes): Bytes {
  if (fileType === "BOOL") return encode("bool", bytes);
  if (fileType === "F16" && dtype === "f32") return bytesOf(decode("f16", bytes, bytes.length / 2));
  const padded = new Uint8Array(words(bytes.length));
  padded.set(bytes);
  return padded;
}
