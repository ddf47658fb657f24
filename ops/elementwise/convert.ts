/** Conversion between dtypes, by value and by bits (SEMANTICS §6). */

import { ShapeError } from "../../compiler/errors.ts";
import {
  deviceBytes,
  type DType,
  dtypes,
  type HostArray,
  hostArray,
  isFloat,
  roundTo,
} from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Sample } from "../../compiler/graph/op.ts";
import { castValue } from "../../compiler/kernel/numerics.ts";
import { valueType } from "../../compiler/kernel/value.ts";
import { defineOp } from "../define_op.ts";

interface ConvertAttrs {
  readonly to: DType;
}

/** The number of another type: floats truncate and saturate to integers, NaN gives 0; → bool is x ≠ 0. */
function converted(x: number, from: DType, to: DType): number {
  switch (to) {
    case "f32":
    case "f16":
      return x; // rounding to the type is a step of its own
    case "bool":
      return x !== 0 ? 1 : 0;
    case "i32":
      return isFloat(from) ? Math.trunc(Math.min(Math.max(x || 0, -0x80000000), 0x7fffffff)) : x | 0;
    case "u32":
      return isFloat(from) ? Math.trunc(Math.min(Math.max(x || 0, 0), 0xffffffff)) : x >>> 0;
  }
}

const sample = (dtype: DType, to: DType, values: readonly number[]): Sample<ConvertAttrs> => ({
  inputs: [{ shape: [values.length], dtype, values }],
  attrs: { to },
});
const wild = [0, 1.9, -1.9, 2147483520, 3e9, -3e9, 5e9, Infinity, -Infinity, NaN];

export const castOp = defineOp<ConvertAttrs>({
  name: "cast",
  infer: ([x], { to }) => [{ shape: x!.shape, dtype: to }],
  // Only a float has a tangent; rounding between float types counts as the identity.
  gradient: (
    { inputs: [x], cotangents: [g] },
  ) => [g && isFloat(x!.dtype) && isFloat(g.dtype) ? cast(g, x!.dtype) : null],
  reference([x], { to }, { inputs }) {
    const out = hostArray(to, x!.length);
    for (let i = 0; i < out.length; i++) out[i] = converted(x![i]!, inputs[0]!.dtype, to);
    return [out];
  },
  lower: (k, [x], at, { attrs: { to } }) => castValue(k, valueType(to), x!.at(at)),
  // Between floats it rounds, and that is a small move.
  jumps: ({ to }) => !isFloat(to),
  samples: [
    { inputs: [{ shape: [3, 5], lo: -100, hi: 100 }], attrs: { to: "f16" } },
    { inputs: [{ shape: [7], dtype: "f16", lo: -100, hi: 100 }], attrs: { to: "f32" } },
    sample("f32", "i32", wild),
    sample("f32", "u32", wild),
    sample("f32", "bool", [0, -0, 1, 1e-30, Infinity, NaN]),
    sample("i32", "f32", [0, -1, 123456789, -0x80000000]),
    sample("u32", "f32", [0, 1, 4294967295]),
    sample("i32", "u32", [-1, 5]),
    sample("u32", "i32", [4294967295, 5]),
    sample("i32", "bool", [0, 5, -1]),
    sample("bool", "f32", [0, 1]),
    sample("bool", "i32", [0, 1]),
  ],
});

const words = new DataView(new ArrayBuffer(4));

function write(dtype: DType, x: number): void {
  if (dtype === "f32") words.setFloat32(0, x);
  else words.setUint32(0, x >>> 0);
}

function read(dtype: DType): number {
  return dtype === "f32" ? words.getFloat32(0) : dtype === "i32" ? words.getInt32(0) : words.getUint32(0);
}

/** The same 32 bits under another type. */
export const bitcastOp = defineOp<ConvertAttrs>({
  name: "bitcast",
  infer([x], { to }) {
    for (const dtype of [x!.dtype, to]) {
      if (dtype === "bool" || deviceBytes(dtype) !== 4) {
        throw new ShapeError(
          `bitcast: from ${x!.dtype} to ${to}; only f32, i32 and u32 share their bits. Use cast`,
        );
      }
    }
    return [{ shape: x!.shape, dtype: to }];
  },
  gradient: { notDifferentiable: "its result is a pattern of bits, not a number near its input" },
  reference([x], { to }, { inputs }) {
    const out: HostArray = hostArray(to, x!.length);
    for (let i = 0; i < out.length; i++) {
      write(inputs[0]!.dtype, x![i]!);
      out[i] = read(to);
    }
    return [out];
  },
  lower: (k, [x], at, { attrs: { to } }) => k.bitcast(valueType(to), x!.at(at)),
  jumps: true,
  samples: [
    sample("f32", "i32", [0, 1, -2.5, Infinity].map((x) => roundTo("f32", x))),
    sample("f32", "u32", [1, -1]),
    sample("i32", "f32", [0x3f800000, -0x40000000]),
    sample("u32", "i32", [4294967295, 7]),
  ],
});

/**
 * Converts to another dtype by value: floats truncate towards zero, saturate, and NaN gives 0; integers wrap; → bool is
 * x ≠ 0. The gradient passes between float types and stops elsewhere.
 *
 * @example
 * ```ts
 * import { cast, input, model } from "@weft/weft";
 *
 * // [1.9, -1.9, NaN, 3e9] as integers: [1, -1, 0, 2147483647].
 * model({ x: input([4], "f32") }, ({ x }) => ({ n: cast(x, "i32"), halves: cast(x, "f16") }));
 * ```
 */
export function cast<S extends Shape, D extends DType>(x: Tensor<S>, dtype: D): Tensor<S, D> {
  if (!dtypes.includes(dtype)) {
    throw new ShapeError(
      `cast: ${JSON.stringify(dtype)} is not a dtype; the dtypes are ${dtypes.join(", ")}`,
    );
  }
  if (x.dtype as DType === dtype) return x as Tensor<S> as Tensor<S, D>;
  return apply(castOp, [x], { to: dtype }) as Tensor<S, D>;
}

/**
 * The same 32 bits as f32, i32 or u32.
 *
 * @throws ShapeError for f16 and bool.
 * @example
 * ```ts
 * import { bitAnd, bitcast, input, model, shiftRight, sub } from "@weft/weft";
 *
 * // The exponent of a float, from its bits.
 * model({ x: input([4], "f32") }, ({ x }) => {
 *   return { exponent: sub(bitAnd(shiftRight(bitcast(x, "i32"), 23), 0xff), 127) };
 * });
 * ```
 */
export function bitcast<S extends Shape, D extends DType>(x: Tensor<S>, dtype: D): Tensor<S, D> {
  if (x.dtype as DType === dtype) return x as Tensor<S> as Tensor<S, D>;
  return apply(bitcastOp, [x], { to: dtype }) as Tensor<S, D>;
}
