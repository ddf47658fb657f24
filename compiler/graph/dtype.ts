/**
 * Element types, and the host arrays that hold them.
 *
 * Two host forms exist on purpose (SEMANTICS §6). A *stored* array has the width of the type, as the user feeds and
 * reads it. A *reference* array of a float type holds f64: finite differences and error bounds need the extra bits,
 * and rounding to the type is a step of its own (`roundTo`).
 */

/** The element types of a tensor. */
export type DType = "f32" | "f16" | "i32" | "u32" | "bool";

export const dtypes: readonly DType[] = ["f32", "f16", "i32", "u32", "bool"];

/** The typed array a user feeds and reads. `f16` travels as f32 on the host, `bool` as 0/1 bytes. */
export type StoredArray<D extends DType = DType> = D extends "f32" | "f16" ? Float32Array
  : D extends "i32" ? Int32Array
  : D extends "u32" ? Uint32Array
  : Uint8Array;

/** What `reference` computes on: f64 for the float types, exact integers for the others. */
export type HostArray = Float64Array | Int32Array | Uint32Array | Uint8Array;

export const isFloat = (dtype: DType): boolean => dtype === "f32" || dtype === "f16";
export const isInteger = (dtype: DType): boolean => dtype === "i32" || dtype === "u32";

/** Bytes of one element in device memory. `bool` is a u32 that holds 0 or 1. */
export const deviceBytes = (dtype: DType): number => dtype === "f16" ? 2 : 4;

export function hostArray(dtype: DType, length: number): HostArray {
  switch (dtype) {
    case "f32":
    case "f16":
      return new Float64Array(length);
    case "i32":
      return new Int32Array(length);
    case "u32":
      return new Uint32Array(length);
    case "bool":
      return new Uint8Array(length);
  }
}

export function storedArray<D extends DType>(dtype: D, length: number): StoredArray<D>;
export function storedArray(dtype: DType, length: number): StoredArray {
  switch (dtype) {
    case "f32":
    case "f16":
      return new Float32Array(length);
    case "i32":
      return new Int32Array(length);
    case "u32":
      return new Uint32Array(length);
    case "bool":
      return new Uint8Array(length);
  }
}

const half = new Float16Array(1);

/** Rounds to the nearest value of the type (ties to even); integers wrap as in the type. */
export function roundTo(dtype: DType, x: number): number {
  switch (dtype) {
    case "f32":
      return Math.fround(x);
    case "f16":
      half[0] = x;
      return half[0]!;
    case "i32":
      return x | 0;
    case "u32":
      return x >>> 0;
    case "bool":
      return x !== 0 ? 1 : 0;
  }
}
