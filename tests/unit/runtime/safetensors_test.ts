import assert from "node:assert/strict";
import fc from "fast-check";
import { RunError } from "../../../compiler/errors.ts";
import {
  encodeSafetensors,
  type HostTensor,
  SafetensorsReader,
  writeSafetensors,
} from "../../../runtime/safetensors.ts";
import { safetensorsFile } from "../../support/files.ts";

const tensors: readonly HostTensor[] = [
  { name: "flags", shape: [3], dtype: "bool", data: new Uint8Array([1, 0, 1]) },
  { name: "halves", shape: [2, 1], dtype: "f16", data: new Float32Array([0.5, -2]) },
  { name: "w", shape: [2, 2], dtype: "f32", data: new Float32Array([1, 2.5, -0, Infinity]) },
  { name: "n", shape: [], dtype: "i32", data: new Int32Array([-7]) },
  { name: "bits", shape: [1], dtype: "u32", data: new Uint32Array([0xffffffff]) },
  { name: "none", shape: [0, 4], dtype: "f32", data: new Float32Array() },
  { name: "__proto__", shape: [1], dtype: "f32", data: new Float32Array([3]) },
];

/** A file of the bytes that a header and data make, whatever they say. */
function fileOf(header: unknown, data: Uint8Array | number = 0, headerText = JSON.stringify(header)) {
  const json = new TextEncoder().encode(headerText);
  const bytes = new Uint8Array(8 + json.length + (typeof data === "number" ? data : data.length));
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  if (typeof data !== "number") bytes.set(data, 8 + json.length);
  return bytes;
}

function encoded(list: readonly HostTensor[] = tensors, metadata?: Record<string, string>) {
  const pieces = [...encodeSafetensors(list, metadata)];
  const bytes = new Uint8Array(pieces.reduce((n, piece) => n + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

const refused = (bytes: Uint8Array<ArrayBuffer>, because: RegExp) =>
  assert.rejects(SafetensorsReader.fromBytes(bytes), (error) => {
    assert(error instanceof RunError, String(error));
    assert.match(error.message, because);
    return true;
  });

Deno.test("writeSafetensors() and SafetensorsReader give back every type, shape and name", async () => {
  using file = safetensorsFile();
  await writeSafetensors(file.path, tensors, { made: "by a test" });
  using reader = await SafetensorsReader.open(file.path);
  assert.deepEqual(reader.metadata, { made: "by a test" });
  assert.deepEqual(new Set(reader.tensors.keys()), new Set(tensors.map(({ name }) => name)));
  const read = await Promise.all(tensors.map(({ name }) => reader.read(name)));
  assert.deepEqual(read, tensors);
  assert.deepEqual([...Deno.readDirSync(file.folder)].map(({ name }) => name), ["state.safetensors"]);
});

Deno.test("encodeSafetensors() starts every tensor at a multiple of its element's size", async () => {
  const bytes = encoded();
  const dataStart = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assert.equal(dataStart % 8, 0);
  const header = JSON.parse(new TextDecoder().decode(bytes.slice(8, dataStart)));
  const sizes: Record<string, number> = { F32: 4, I32: 4, U32: 4, F16: 2, BOOL: 1 };
  for (const entry of Object.values(header) as { dtype: string; data_offsets: readonly [number, number] }[]) {
    assert.equal(entry.data_offsets[0] % sizes[entry.dtype]!, 0);
  }
  const reader = await SafetensorsReader.fromBytes(bytes);
  assert.deepEqual((await reader.read("w")).data, tensors[2]!.data);
});

Deno.test("writeSafetensors() leaves the old file whole where it fails", async () => {
  using file = safetensorsFile();
  await writeSafetensors(file.path, tensors);
  const before = await Deno.readFile(file.path);
  const wrong = { name: "late", shape: [3], dtype: "f32" as const, data: new Float32Array(2) };
  await assert.rejects(
    writeSafetensors(file.path, [...tensors, wrong]),
    /"late" is f32 \[3\], 3 elements.*array has 2/,
  );
  await assert.rejects(writeSafetensors(file.path, [tensors[0]!, tensors[0]!]), /two tensors "flags"/);
  assert.deepEqual(await Deno.readFile(file.path), before);
  assert.deepEqual([...Deno.readDirSync(file.folder)].map(({ name }) => name), ["state.safetensors"]);
});

Deno.test("SafetensorsReader reads BF16, F64 and I64 as the nearest type", async () => {
  const data = new Uint8Array(8 + 16 + 16);
  new Uint16Array(data.buffer, 0, 4).set([0x3f80, 0xc000, 0x7f80, 0x0000]); // 1, −2, ∞, 0
  new Float64Array(data.buffer, 8, 2).set([0.1, 1e300]);
  new BigInt64Array(data.buffer, 24, 2).set([-3n, 2147483647n]);
  const reader = await SafetensorsReader.fromBytes(fileOf({
    b: { dtype: "BF16", shape: [4], data_offsets: [0, 8] },
    d: { dtype: "F64", shape: [2], data_offsets: [8, 24] },
    l: { dtype: "I64", shape: [2], data_offsets: [24, 40] },
  }, data));
  assert.deepEqual((await reader.read("b")).data, new Float32Array([1, -2, Infinity, 0]));
  assert.deepEqual((await reader.read("d")).data, new Float32Array([0.1, Infinity]));
  assert.deepEqual((await reader.read("l")).data, new Int32Array([-3, 2147483647]));
});

Deno.test("SafetensorsReader refuses an I64 that has no i32, and types that Weft doesn't have", async () => {
  const data = new Uint8Array(9);
  new BigInt64Array(data.buffer, 0, 1).set([2n ** 31n]);
  const reader = await SafetensorsReader.fromBytes(fileOf({
    l: { dtype: "I64", shape: [], data_offsets: [0, 8] },
    q: { dtype: "F8_E4M3", shape: [1], data_offsets: [8, 9] },
  }, data));
  await assert.rejects(reader.read("l"), /"l" holds 2147483648 at element 0/);
  await assert.rejects(reader.read("q"), /"q".*is F8_E4M3.*Convert the file first/);
  await assert.rejects(reader.read("l", "f32"), /It can be read as i32/);
  await assert.rejects(reader.read("m"), /has no tensor "m"; it has "l", "q"/);
});

Deno.test("SafetensorsReader refuses broken headers and says what is wrong", async () => {
  const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]) => ({
    dtype: "F32",
    shape,
    data_offsets: [begin, end],
  });
  await refused(new Uint8Array(5), /has 5 bytes, fewer than the 8/);
  await refused(new Uint8Array(8).fill(255), /header claims 18446744073709551615 bytes/);
  await refused(fileOf({}).slice(0, 9), /ends after 9; it seems to be cut off/);
  await refused(fileOf(0, 0, "{nonsense"), /header is not JSON/);
  await refused(fileOf([]), /not a JSON object/);
  await refused(fileOf({ __metadata__: { a: 1 } }), /__metadata__ is not an object of strings/);
  await refused(fileOf({ a: 3 }), /entry of "a" is not an object/);
  await refused(fileOf({ a: { ...f32(0, 4), dtype: 7 } }, 4), /type of "a" is not a string/);
  await refused(fileOf({ a: f32(0, 4, [-1]) }, 4), /shape of "a" is not a list of sizes/);
  await refused(fileOf({ a: f32(0, 4, [0.5]) }, 4), /shape of "a"/);
  await refused(fileOf({ a: f32(4, 0, [1]) }, 4), /"a" claims bytes 4 … 0/);
  await refused(fileOf({ a: f32(0, 8) }, 4), /claims bytes 0 … 8 of 4; the file seems to be cut off/);
  await refused(fileOf({ a: f32(0, 8, [3]) }, 8), /"a" is F32 \[3\], so 12 bytes, and claims 8/);
  await refused(fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12), /bytes of "a" and "b" overlap/);
  await refused(fileOf({ a: f32(0, 4), b: f32(8, 12) }, 12), /nothing owns the bytes 4 … 8 before "b"/);
  await refused(fileOf({ a: f32(0, 4) }, 6), /nothing owns the last 2 bytes/);
  await refused(fileOf({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4), /claims 4/);
  const twice = '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},' +
    '"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}';
  await refused(fileOf(0, 8, twice), /nothing owns the bytes 0 … 4/);
});

Deno.test("SafetensorsReader gives a clear error or the right numbers for every damaged file", async () => {
  const whole = encoded(tensors, { step: "1" });
  const headerEnd = 8 + Number(new DataView(whole.buffer).getBigUint64(0, true));
  const at = fc.oneof(
    fc.nat({ max: 7 }),
    fc.integer({ min: 8, max: headerEnd - 1 }),
    fc.integer({ min: headerEnd, max: whole.length - 1 }),
  );
  const damage = fc.oneof(
    fc.record({ kind: fc.constant("flip" as const), at, bit: fc.nat({ max: 7 }) }),
    fc.record({
      kind: fc.constant("text" as const),
      at,
      with: fc.constantFrom(...'0123456789,[]{}":-.eF \\\x00'),
    }),
    fc.record({ kind: fc.constant("cut" as const), at }),
    fc.record({ kind: fc.constant("grow" as const), by: fc.integer({ min: 1, max: 9 }) }),
    fc.record({ kind: fc.constant("drop" as const), at }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
      let bytes = whole.slice();
      for (const d of damages) {
        if (d.kind === "flip" && d.at < bytes.length) bytes[d.at]! ^= 1 << d.bit;
        else if (d.kind === "text" && d.at < bytes.length) bytes[d.at] = d.with.charCodeAt(0);
        else if (d.kind === "cut") bytes = bytes.slice(0, d.at);
        else if (d.kind === "grow") bytes = new Uint8Array([...bytes, ...new Uint8Array(d.by)]);
        else if (d.kind === "drop") {
          bytes = new Uint8Array([...bytes.slice(0, d.at), ...bytes.slice(d.at + 1)]);
        }
      }
      try {
        const reader = await SafetensorsReader.fromBytes(bytes);
        for (const name of reader.tensors.keys()) checkAgainst(bytes, await reader.read(name));
      } catch (error) {
        assert(error instanceof RunError, `${error}`);
      }
    }),
    { numRuns: 3_000 },
  );
});

/** Reads one tensor in the plainest way and compares. */
function checkAgainst(bytes: Uint8Array<ArrayBuffer>, { name, shape, data }: HostTensor): void {
  const view = new DataView(bytes.buffer);
  const dataStart = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.slice(8, dataStart)));
  const { dtype, shape: written, data_offsets: [begin, end] } = Object.entries(header)
    .find(([key]) => key === name)![1] as { dtype: string; shape: number[]; data_offsets: [number, number] };
  assert.deepEqual(shape, written);
  assert.equal(data.length, written.reduce((a, b) => a * b, 1));
  const readers: Record<string, [number, (at: number) => number]> = {
    F32: [4, (at) => view.getFloat32(at, true)],
    F16: [2, (at) => view.getFloat16(at, true)],
    I32: [4, (at) => view.getInt32(at, true)],
    U32: [4, (at) => view.getUint32(at, true)],
    BOOL: [1, (at) => view.getUint8(at) === 0 ? 0 : 1],
    F64: [8, (at) => Math.fround(view.getFloat64(at, true))],
    I64: [8, (at) => Number(view.getBigInt64(at, true))],
    BF16: [2, (at) => new Float32Array(new Uint32Array([view.getUint16(at, true) << 16]).buffer)[0]!],
  };
  const [size, read] = readers[dtype]!;
  assert.equal(data.length * size, end - begin);
  data.forEach((value, i) => assert.deepEqual(value, read(dataStart + begin + i * size)));
}
