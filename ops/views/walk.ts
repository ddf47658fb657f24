/** Plain index arithmetic for the references of views: row-major offsets, one index at a time. */

import type { HostArray } from "../../compiler/graph/dtype.ts";
import { hostArray } from "../../compiler/graph/dtype.ts";
import type { ConcreteType } from "../../compiler/kernel/value.ts";

export const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Row-major strides in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

export const offsetOf = (index: readonly number[], shape: readonly number[]): number => {
  let offset = 0;
  for (let axis = 0; axis < shape.length; axis++) offset = offset * shape[axis]! + index[axis]!;
  return offset;
};

/** Visits every index of a shape in row-major order. The array is reused between visits. */
export function forEachIndex(
  shape: readonly number[],
  visit: (index: number[], position: number) => void,
): void {
  const total = count(shape);
  const index = new Array<number>(shape.length).fill(0);
  for (let position = 0; position < total; position++) {
    visit(index, position);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** The result whose element at `index` is `input[source(index)]`, or `fill` where there is no source. */
export function gatherBy(
  input: HostArray,
  inputType: ConcreteType,
  output: ConcreteType,
  source: (index: readonly number[]) => readonly number[] | undefined,
  fill = 0,
): HostArray {
  const out = hostArray(output.dtype, count(output.shape));
  forEachIndex(output.shape, (index, position) => {
    const from = source(index);
    out[position] = from ? input[offsetOf(from, inputType.shape)]! : fill;
  });
  return out;
}
