import { type DType, type StoredArray, storedArray } from "../../compiler/graph/dtype.ts";

/** Values in the array that a run is fed and gives for a dtype. */
export function stored(dtype: DType, values: ArrayLike<number>): StoredArray {
  const array: StoredArray = storedArray(dtype, values.length);
  array.set(values);
  return array;
}
