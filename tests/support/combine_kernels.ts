/** Kernels that do nothing but combine states, for every op. */

import type { CombineOp, Kernel } from "../../compiler/kernel/ir.ts";
import { wide } from "../../compiler/kernel/ir.ts";
import type { HostView } from "../../compiler/kernel/interpret.ts";
import type { ValueType } from "../../compiler/kernel/value.ts";
import { build, ref } from "./small_kernels.ts";
import { deviceArray } from "./random_kernel.ts";

export interface CombineCase {
  readonly op: CombineOp;
  /** Of each component of the state. */
  readonly scalars: readonly ValueType[];
}

export const combineCases: readonly CombineCase[] = [
  ...(["f32", "i32", "u32"] as const).flatMap((scalar) =>
    (["sum", "prod"] as const).map((op) => ({ op, scalars: [scalar] }))
  ),
  ...(["f32", "i32", "u32", "bool"] as const).flatMap((scalar) => [
    ...(["max", "min", "maxFast", "minFast"] as const).map((op) => ({ op, scalars: [scalar] })),
    ...(["argmax", "argmin"] as const).map((op) => ({ op, scalars: [scalar, "i32" as const] })),
  ]),
  { op: "maxSumExp", scalars: ["f32", "f32"] },
  { op: "moments", scalars: ["f32", "f32", "f32"] },
];

/** Elements in each lane's arrays. */
export const elements = 2;

/** Loads a state per lane and element, combines, and stores it: inputs first, then outputs, [lane][element][component]. */
export function combineKernel(
  { op, scalars }: CombineCase,
  lanes: number,
  across: number,
  width: 1 | 4,
): Kernel {
  return build(lanes, 1, (b) => {
    const arrays = scalars.map((scalar) => b.array("lane", wide(scalar, width), elements));
    const size = lanes * elements * width;
    const at = (element: number) => b.mul(b.add(b.mul(b.lane, elements), element), width);
    b.phase(() => {
      arrays.forEach((array, c) => {
        for (let e = 0; e < elements; e++) {
          b.set(array, e, b.load(ref(`in${c}`, scalars[c]!, size), at(e), width));
        }
      });
    });
    b.combine(op, arrays, across);
    b.phase(() => {
      arrays.forEach((array, c) => {
        for (let e = 0; e < elements; e++) {
          b.store(ref(`out${c}`, scalars[c]!, size), at(e), b.read(array, e));
        }
      });
    });
  });
}

/** Buffers for such a kernel: `inputs` per component, zeros for the outputs. */
export const combineBuffers = (
  scalars: readonly ValueType[],
  inputs: readonly (readonly number[])[],
): HostView[] => [
  ...inputs.map((values, c) => {
    const view = deviceArray(scalars[c]!, values.length);
    view.set(values);
    return view;
  }),
  ...inputs.map((values, c) => deviceArray(scalars[c]!, values.length)),
];
