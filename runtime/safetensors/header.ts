/**
 * The header of a safetensors file, and everything that must hold of it.
 *
 *     8 bytes   length n of the header, little-endian
 *     n bytes   JSON: { "name": { "dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24] }, …, "__metadata__": { … } }
 *     the rest  the data; offsets count from its first byte
 *
 * The format is strict so that a reader can trust it, and so is this one: the tensors cover the data exactly, without
 * holes and without overlaps, each has the bytes that its type and shape ask for, and nothing follows. A duplicate name
 * drops a tensor in JSON, which then is a hole. A file that was cut off or changed is refused before a byte is used.
 * @module
 */

import { RunError } from "../../compiler/errors.ts";
import { showShape } from "../../compiler/graph/dim.ts";

/** Bytes of one element of each type that the format names and this reader can size. */
const SIZES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};

/** The format's own limit; a longer header is an attack or no header. */
const MAX_HEADER_BYTES = 100_000_000;

/** A tensor as the header tells of it. `begin` and `end` count from the start of the data. */
export interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the data starts in the file. */
  readonly dataStart: number;
}

export const elementBytes = (fileType: string): number | undefined =>
  Object.hasOwn(SIZES, fileType) ? SIZES[fileType] : undefined;

/** The length that the first 8 bytes state, checked against the file's own. */
export function headerLength(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (prefix.length < 8) fail(file, `it has ${fileBytes} bytes, fewer than the 8 it must start with`);
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    fail(file, `its header claims ${length} bytes, more than the format allows`);
  }
  if (8 + Number(length) > fileBytes) {
    fail(
      file,
      `its header claims ${length} bytes, and the file ends after ${fileBytes}; it seems to be cut off`,
    );
  }
  return Number(length);
}

/** Reads and checks the JSON of a header. `file` is what messages call the file. */
export function parseHeader(json: Uint8Array, fileBytes: number, file: string): Header {
  const dataStart = 8 + json.length;
  const dataBytes = fileBytes - dataStart;
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch {
    fail(file, "its header is not JSON");
  }
  if (!isRecord(parsed)) fail(file, "its header is not a JSON object");
  const entries = new Map<string, Entry>();
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "__metadata__") metadata = checkMetadata(value, file);
    else entries.set(name, checkEntry(name, value, dataBytes, file));
  }
  checkCover(entries, dataBytes, file);
  return { entries, metadata, dataStart };
}

/** The first bytes of a file with these tensors, in this order, padded so that the data starts at a multiple of 8. */
export function buildHeader(
  tensors: readonly { readonly name: string; readonly dtype: string; readonly shape: readonly number[] }[],
  metadata: Readonly<Record<string, string>> | undefined,
): Uint8Array<ArrayBuffer> {
  // Not an object literal: a tensor may be called "__proto__".
  const parts = metadata === undefined ? [] : [`"__metadata__":${JSON.stringify(metadata)}`];
  let at = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = at + shape.reduce((n, size) => n * size, elementBytes(dtype)!);
    parts.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [at, end] })}`);
    at = end;
  }
  const json = new TextEncoder().encode(`{${parts.join(",")}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

function checkMetadata(value: unknown, file: string): Readonly<Record<string, string>> {
  if (!isRecord(value) || !Object.values(value).every((text) => typeof text === "string")) {
    fail(file, "its __metadata__ is not an object of strings");
  }
  return value as Readonly<Record<string, string>>;
}

function checkEntry(name: string, value: unknown, dataBytes: number, file: string): Entry {
  const shown = JSON.stringify(name);
  if (!isRecord(value)) fail(file, `the entry of ${shown} is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string") fail(file, `the type of ${shown} is not a string`);
  if (!isSizes(shape)) fail(file, `the shape of ${shown} is not a list of sizes`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    fail(file, `the data_offsets of ${shown} are not two numbers`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataBytes) {
    fail(file, `${shown} claims bytes ${begin} … ${end} of ${dataBytes}; the file seems to be cut off`);
  }
  const size = elementBytes(dtype);
  const wanted = size === undefined ? end - begin : shape.reduce((n, length) => n * length, size);
  if (wanted !== end - begin) {
    fail(file, `${shown} is ${dtype} ${showShape(shape)}, so ${wanted} bytes, and claims ${end - begin}`);
  }
  return { dtype, shape, begin, end };
}

function checkCover(entries: ReadonlyMap<string, Entry>, dataBytes: number, file: string): void {
  let at = 0;
  let before = "the header";
  // Empty tensors stand before the one that starts where they do.
  const sorted = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (const [name, { begin, end }] of sorted) {
    const shown = JSON.stringify(name);
    if (begin < at) fail(file, `the bytes of ${before} and ${shown} overlap`);
    if (begin > at) fail(file, `nothing owns the bytes ${at} … ${begin} before ${shown}`);
    at = end;
    before = shown;
  }
  if (at !== dataBytes) fail(file, `nothing owns the last ${dataBytes - at} bytes`);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isSizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

function fail(file: string, because: string): never {
  throw new RunError(`${file} is not a safetensors file that Weft can read: ${because}.`);
}
