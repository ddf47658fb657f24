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
export const FILE_TYPES = { f32: "F32", f16: "F16", i32: "I32", u32: "U32", bool: "BOOL" };
export type DType = keyof typeof ARRAYS;

/** Bytes of an element on a device, and in a file. */
export const elementBytes = (dtype: DType): number => dtype === "f16" ? 2 : 4;
export const fileBytes = (dtype: DType): number => dtype === "bool" ? 1 : elementBytes(dtype);
export const words = (bytes: number): number => Math.ceil(bytes / 4) * 4;
export const product = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);
export const bytesOf = (array: ArrayBufferView): Bytes =>
  new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);

export const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** To the nearest half, ties to even. */
export function half(x: number): number {
  float[0] = x;
  const sign = bits[0]! >>> 16 & 0x8000;
  const exponent = bits[0]! >>> 23 & 255;
  const mantissa = bits[0]! & 0x7fffff;
  if (exponent === 255) return sign | 0x7c00 | (mantissa && 0x200);
  if (exponent < 113) { // subnormal: a multiple of 2⁻²⁴
    const scaled = Math.abs(x) * 2 ** 24;
    const down = Math.floor(scaled);
    const rest = scaled - down;
    return sign | (down + +(rest > 0.5 || (rest === 0.5 && down % 2 === 1)));
  }
  const down = (exponent - 112 << 10) + (mantissa >> 13);
  const rest = mantissa & 0x1fff;
  return sign | Math.min(0x7c00, down + +(rest > 0x1000 || (rest === 0x1000 && down % 2 === 1)));
}

export function fromHalf(h: number): number {
  const exponent = h >> 10 & 31;
  const mantissa = h & 1023;
  const sign = h & 0x8000 ? -1 : 1;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + mantissa / 1024) * 2 ** (exponent - 15) : mantissa * 2 ** -24);
}

/** As a device keeps it, whole words. A copy. */
export function encode(dtype: DType, array: HostArray): Bytes {
  if (dtype === "bool") return bytesOf(Uint32Array.from(array, (x) => +!!x));
  if (dtype !== "f16") return bytesOf(array.slice());
  const halves = new Uint16Array(words(array.length * 2) / 2);
  array.forEach((x, i) => halves[i] = half(x));
  return bytesOf(halves);
}

/** From a device's bytes, which become the array's own where the forms agree. */
export function decode(dtype: DType, { buffer, byteOffset }: Bytes, count: number): HostArray {
  if (dtype === "bool") return Uint8Array.from(new Uint32Array(buffer, byteOffset, count), (x) => +!!x);
  if (dtype === "f16") return Float32Array.from(new Uint16Array(buffer, byteOffset, count), fromHalf);
  return new ARRAYS[dtype](buffer, byteOffset, count);
}

/** Elements as a file has them, as a device keeps them; whole words. */
export function toDevice({ dtype, fileType }: Pick<StoredTensor, "dtype" | "fileType">, bytes: Bytes): Bytes {
  if (fileType === "BOOL") return encode("bool", bytes);
  if (fileType === "F16" && dtype === "f32") {
    return bytesOf(Float32Array.from(new Uint16Array(bytes.slice().buffer), fromHalf));
  }
  if (bytes.length % 4 === 0) return bytes;
  const padded = new Uint8Array(words(bytes.length));
  padded.set(bytes);
  return padded;
}
