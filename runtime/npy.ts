/**
 * NumPy's file format, version 1 to 3: one array of numbers, as scripts in other languages read and write it.
 *
 *     6 bytes   \x93NUMPY
 *     2 bytes   version
 *     2 or 4    length of the header, little-endian
 *     header    {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 *     data      row-major
 * @module
 */

import { RunError } from "../compiler/errors.ts";
import { showShape } from "../compiler/graph/dim.ts";
import { type DType, isFloat, type StoredArray } from "../compiler/graph/dtype.ts";

/** An array as a file has it. */
export interface NpyArray {
  readonly shape: readonly number[];
  /** NumPy's name of the type, such as `<f4`. */
  readonly descr: string;
  readonly data: ArrayLike<number | bigint>;
}

const readers: Readonly<Record<string, (bytes: ArrayBuffer) => ArrayLike<number | bigint>>> = {
  "<f4": (bytes) => new Float32Array(bytes),
  "<f8": (bytes) => new Float64Array(bytes),
  "<f2": (bytes) => new Float16Array(bytes),
  "<i4": (bytes) => new Int32Array(bytes),
  "<u4": (bytes) => new Uint32Array(bytes),
  "<i8": (bytes) => new BigInt64Array(bytes),
  "<i2": (bytes) => new Int16Array(bytes),
  "<u2": (bytes) => new Uint16Array(bytes),
  "|i1": (bytes) => new Int8Array(bytes),
  "|u1": (bytes) => new Uint8Array(bytes),
  "|b1": (bytes) => new Uint8Array(bytes),
};

const written: { readonly [D in DType]: string } = {
  f32: "<f4",
  f16: "<f4",
  i32: "<i4",
  u32: "<u4",
  bool: "|b1",
};

/** Longest header that is read: NumPy itself stops at less. */
const mostHeaderBytes = 2 ** 20;

/** @param name What messages call the file. */
export function parseNpy(bytes: Uint8Array<ArrayBuffer>, name: string): NpyArray {
  const fail = (because: string): never => {
    throw new RunError(`${name} is not a file of NumPy's that Weft can read: ${because}.`);
  };
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(0, 6)) !== "\x93NUMPY") {
    return fail("it does not begin with NumPy's mark");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isLong = bytes[6]! > 1;
  const start = isLong ? 12 : 10;
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  if (length > mostHeaderBytes || start + length > bytes.length) fail("it is cut off");
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (descr === undefined || order === undefined || sizes === undefined) {
    return fail("its header is no description");
  }
  if (order === "True") fail("it is in Fortran's order; save numpy.ascontiguousarray(x)");
  const reader = Object.hasOwn(readers, descr) ? readers[descr]! : fail(`its type is ${descr}`);
  const shape = sizes.split(",").map((size) => size.trim()).filter((size) => size !== "").map(Number);
  const width = descr === "|b1" ? 1 : Number(descr.at(-1));
  const wanted = shape.reduce((n, size) => n * size, width);
  const have = bytes.length - start - length;
  if (wanted !== have) {
    fail(`an array ${showShape(shape)} of ${descr} has ${wanted} bytes, and it has ${have}`);
  }
  return { shape, descr, data: reader(bytes.slice(start + length).buffer) };
}

/**
 * The elements as an input of this type takes them.
 *
 * @throws RunError where something would be lost: integers that the type doesn't have, and all of float64, whose numbers
 * are hardly ever those of float32.
 */
export function npyAs({ data, descr }: NpyArray, dtype: DType, name: string): StoredArray {
  if (isFloat(dtype)) return floatsOf(data, descr, dtype, name);
  const numbers = Float64Array.from(data as ArrayLike<number>, Number);
  const [lo, hi] = dtype === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : dtype === "u32" ? [0, 2 ** 32 - 1] : [0, 1];
  const bad = numbers.findIndex((x) => !Number.isInteger(x) || x < lo || x > hi);
  if (bad >= 0) {
    throw new RunError(
      `${name} (${descr}) holds ${numbers[bad]} at element ${bad}, and its input is ${dtype}.`,
    );
  }
  return dtype === "i32"
    ? Int32Array.from(numbers)
    : dtype === "u32"
    ? Uint32Array.from(numbers)
    : Uint8Array.from(numbers);
}

function floatsOf(data: NpyArray["data"], descr: string, dtype: DType, name: string): Float32Array {
  const as32 = `save it as float32, such as numpy.save("${name}", x.astype("float32"))`;
  if (descr === "<f8") throw new RunError(`${name} is float64 (<f8), and its input is ${dtype}: ${as32}.`);
  const floats = Float32Array.from(data as ArrayLike<number>, Number);
  const lost = floats.findIndex((x, i) =>
    typeof data[i] === "bigint" ? BigInt(x) !== data[i] : !Object.is(x, data[i])
  );
  if (lost < 0) return floats;
  throw new RunError(
    `${name} (${descr}) holds ${
      data[lost]
    } at element ${lost}, which f32 can't, and its input is ${dtype}. If the ` +
      `nearest number will do, ${as32}.`,
  );
}

export function encodeNpy(
  dtype: DType,
  shape: readonly number[],
  data: StoredArray,
): Uint8Array<ArrayBuffer> {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${written[dtype]}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10; // data begins at a multiple of 64
  const bytes = new Uint8Array(10 + length + data.byteLength).fill(0x20, 10, 10 + length);
  bytes.set([0x93, ..."NUMPY"].map((c) => typeof c === "number" ? c : c.charCodeAt(0)));
  bytes.set([1, 0, length & 255, length >> 8], 6);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[10 + length - 1] = 0x0a;
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length);
  return bytes;
}
