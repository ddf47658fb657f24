/** Numbers as they lie in device memory: f16 as halves, bool as u32, everything little-endian. */

import type { DType } from "../graph/dtype.ts";

export function deviceForm(dtype: DType, values: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  switch (dtype) {
    case "f32":
      return bytes(Float32Array.from(values));
    case "f16":
      return bytes(Float16Array.from(values));
    case "i32":
      return bytes(Int32Array.from(values));
    case "u32":
    case "bool":
      return bytes(Uint32Array.from(values));
  }
}

const bytes = (array: { readonly buffer: ArrayBuffer }): Uint8Array<ArrayBuffer> =>
  new Uint8Array(array.buffer);
