/** Nodes without inputs: what is fed, what lives on the device, what is known while compiling. */

import { counted } from "../compiler/counted.ts";
import { ShapeError } from "../compiler/errors.ts";
import {
  type DType,
  type HostArray,
  hostArray,
  isFloat,
  isInteger,
  roundTo,
} from "../compiler/graph/dtype.ts";
import { type Dim, elementsOf, type Shape, showShape } from "../compiler/graph/dim.ts";
import { apply, GraphBuilder } from "../compiler/graph/build.ts";
import type { Tensor } from "../compiler/graph/node.ts";
import { valueType } from "../compiler/kernel/value.ts";
import { InternalError } from "../compiler/errors.ts";
import { defineOp } from "./define_op.ts";

const fed = (what: string) => (): never => {
  throw new InternalError("ops", `${what} has no definition of its own: it is fed`);
};

/** A tensor that each run is given. */
export const inputOp = defineOp<{ name: string; shape: Shape; dtype: DType }>({
  name: "input",
  infer: (_, { shape, dtype }) => [{ shape, dtype }],
  gradient: () => [],
  reference: fed("input"),
  lower: fed("input"),
  dims: ["shape"],
  samples: [],
});

/** A tensor that lives on the device between runs. `parameter`s are the states that optimizers see. */
export const stateOp = defineOp<{ path: string; shape: Shape; dtype: DType; role: "parameter" | "state" }>({
  name: "state",
  infer: (_, { shape, dtype }) => [{ shape, dtype }],
  gradient: () => [],
  reference: fed("state"),
  lower: fed("state"),
  dims: ["shape"],
  samples: [],
});

/**
 * Numbers known while compiling, by content: `text` holds the bits (hexadecimal), one element broadcast or all.
 *
 * Identity is by bits: −0 is not 0 and NaN payloads are kept (SEMANTICS §1).
 */
export const constantOp = defineOp<{ shape: Shape; dtype: DType; data: ConstantData }>({
  name: "constant",
  infer: (_, { shape, dtype }) => [{ shape, dtype }],
  gradient: () => [],
  reference: (
    _,
    { data },
    { outputs },
  ) => [data.expand(outputs[0]!.dtype, elementsOf(outputs[0]!.shape) as number)],
  lower(k, _inputs, at, { attrs, outputs }) {
    const { dtype, shape } = outputs[0]!;
    if (attrs.data.values.length === 1) return k.const(attrs.data.values[0]!, valueType(dtype));
    let index = k.int(0) as ReturnType<typeof k.iadd>;
    let stride = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index = k.iadd(index, k.imul(at[axis]!, stride));
      stride *= shape[axis]!;
    }
    return k.load({ name: `const:${attrs.data.hash}`, dtype, size: stride }, index);
  },
  dims: ["shape"],
  samples: [
    { inputs: [], attrs: { shape: [2, 3], dtype: "f32", data: constantData("f32", [2.5]) } },
    { inputs: [], attrs: { shape: [3], dtype: "f32", data: constantData("f32", [1, -2, 0.5]) } },
    { inputs: [], attrs: { shape: [2, 2], dtype: "i32", data: constantData("i32", [1, -2, 3, 4]) } },
  ],
});

/** Contents of a constant; its JSON text is a hash of its bits, so that interning large ones stays cheap. */
export interface ConstantData {
  readonly values: ArrayLike<number>;
  readonly hash: string;
  expand(dtype: DType, length: number): HostArray;
  toJSON(): string;
}

export function constantData(dtype: DType, values: ArrayLike<number>): ConstantData {
  const rounded = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) rounded[i] = roundTo(dtype, values[i]!);
  const hash = `${dtype}${hashBits(rounded)}_${rounded.length}`;
  return {
    values: rounded,
    hash,
    expand(type, length) {
      const out = hostArray(type, length);
      for (let i = 0; i < length; i++) out[i] = rounded[rounded.length === 1 ? 0 : i]!;
      return out;
    },
    toJSON: () => hash,
  };
}

/** Two 32-bit FNV-1a hashes over the f64 bits (Fowler, Noll, Vo). */
function hashBits(values: Float64Array): string {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  let a = 0x811c9dc5;
  let b = 0xcbf29ce4;
  for (const word of words) {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ (word >>> 7) ^ (word << 25), 0x01000193) + a;
  }
  return (a >>> 0).toString(16).padStart(8, "0") + (b >>> 0).toString(16).padStart(8, "0");
}

/** A scalar constant of a dtype; a number that the dtype cannot hold is an error. */
export function scalar(value: number, dtype: DType, op = "scalar"): Tensor<readonly []> {
  GraphBuilder.current(op); // an error names the op that the user called, not the constant it makes
  checkNumber(op, value, dtype, `. Use cast(x, "f32") on the tensor first`);
  return apply(constantOp, [], { shape: [], dtype, data: constantData(dtype, [value]) }) as Tensor<
    readonly []
  >;
}

/** A number takes the dtype of the tensor it meets; for integers it must be integral and in range (SEMANTICS §6). */
function checkNumber(op: string, value: number, dtype: DType, hint = ""): void {
  if (isFloat(dtype)) return;
  if (!isInteger(dtype)) {
    if (value === 0 || value === 1) return;
    throw new ShapeError(`${op}: ${value} is not a bool; use 0 or 1`);
  }
  const [lo, hi] = dtype === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  if (Number.isInteger(value) && value >= lo && value <= hi) return;
  throw new ShapeError(`${op}: ${value} is not a number of type ${dtype}${hint}`);
}

function checkValues(op: string, values: unknown, shape: unknown): void {
  const nested = Array.isArray(values) && Array.isArray(values[0]);
  if (!nested && Array.isArray(shape)) return;
  throw new ShapeError(
    `${op}: takes its numbers in one flat list, row-major, and their shape: constant([1, 2, 3, 4], [2, 2])`,
  );
}

/**
 * A tensor of given numbers, row-major.
 *
 * @example
 * ```ts
 * import { constant, input, model, mul } from "@weft/weft";
 *
 * model({ x: input([2, 3], "f32") }, ({ x }) => ({ y: mul(x, constant([1, 0, -1], [3])) }));
 * ```
 */
export function constant<const S extends Shape, D extends DType = "f32">(
  values: ArrayLike<number>,
  shape: S,
  dtype: D = "f32" as D,
): Tensor<S, D> {
  checkValues("constant", values, shape);
  const count = elementsOf(shape);
  if (count !== values.length) {
    throw new ShapeError(
      `constant: ${values.length} numbers do not fill the shape ${showShape(shape)}, which has ${
        counted(count, "element")
      }` +
        (values.length === 1 ? `; use full(${JSON.stringify(shape)}, ${values[0]})` : ""),
    );
  }
  for (let i = 0; i < values.length; i++) checkNumber("constant", values[i]!, dtype);
  return apply(constantOp, [], { shape, dtype, data: constantData(dtype, values) }) as Tensor<S, D>;
}

/**
 * A tensor of one number everywhere.
 *
 * @example
 * ```ts
 * import { concat, full, input, model } from "@weft/weft";
 *
 * model({ x: input([2, 3], "f32") }, ({ x }) => ({ y: concat([x, full([1, 3], -1)], 0) }));
 * ```
 */
export function full<const S extends Shape, D extends DType = "f32">(
  shape: S,
  value: number,
  dtype: D = "f32" as D,
): Tensor<S, D> {
  checkNumber("full", value, dtype);
  return apply(constantOp, [], { shape, dtype, data: constantData(dtype, [value]) }) as Tensor<S, D>;
}

/**
 * A size as a number in the graph: what a mean over a named dimension divides by.
 */
export const sizeOfOp = defineOp<{ size: Dim; dtype: DType }>({
  name: "sizeOf",
  infer: (_, { dtype }) => [{ shape: [], dtype }],
  gradient: () => [],
  reference: (_, { size }, { outputs }) => {
    const out = hostArray(outputs[0]!.dtype, 1);
    out[0] = size as number;
    return [out];
  },
  lower: (k, _inputs, _at, { attrs, outputs }) => k.const(attrs.size as number, valueType(outputs[0]!.dtype)),
  dims: ["size"],
  samples: [{ inputs: [], attrs: { size: 7, dtype: "f32" } }],
});

/** The product of dimensions as a scalar tensor; a plain constant where all are numbers. */
export function sizeOf(size: Dim, dtype: DType): Tensor<readonly []> {
  if (typeof size === "number") return scalar(size, dtype);
  return apply(sizeOfOp, [], { size, dtype }) as Tensor<readonly []>;
}

/** 0, 1, 2, … along one axis of a shape (i32). */
export const iotaOp = defineOp<{ shape: Shape; axis: number }>({
  name: "iota",
  infer: (_, { shape }) => [{ shape, dtype: "i32" }],
  gradient: () => [],
  reference(_, { axis }, { outputs }) {
    const { shape } = outputs[0]!;
    const out = new Int32Array(elementsOf(shape) as number);
    const inner = shape.slice(axis + 1).reduce((n, d) => n * d, 1);
    for (let i = 0; i < out.length; i++) out[i] = Math.floor(i / inner) % shape[axis]!;
    return [out];
  },
  lower: (_k, _inputs, at, { attrs }) => at[attrs.axis]!,
  dims: ["shape"],
  samples: [{ inputs: [], attrs: { shape: [3, 4], axis: 1 } }, {
    inputs: [],
    attrs: { shape: [3, 4], axis: 0 },
  }],
});

/**
 * Counts along an axis: `iota([2, 3], 1)` is [[0, 1, 2], [0, 1, 2]] as i32.
 *
 * @param shape Shape of the result.
 * @param axis The axis that counts; negative from the end. Default: the last.
 * @example
 * ```ts
 * import { iota, lessEqual, model } from "@weft/weft";
 *
 * // A causal mask: query i sees keys up to i.
 * model({}, () => ({ mask: lessEqual(iota([8, 8], 1), iota([8, 8], 0)) }));
 * ```
 */
export function iota<const S extends Shape>(shape: S, axis = -1): Tensor<S, "i32"> {
  const at = axis < 0 ? axis + shape.length : axis;
  if (!(at >= 0 && at < shape.length)) {
    throw new ShapeError(`iota: axis ${axis} is not an axis of the shape [${shape.join(", ")}]`);
  }
  return apply(iotaOp, [], { shape, axis: at }) as Tensor<S, "i32">;
}
