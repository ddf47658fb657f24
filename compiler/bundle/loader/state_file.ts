/**
 * States as a safetensors file: 8 bytes of the header's length, the header, the data.
 *
 * A file of its own in a bundle (`state.js`), which is fetched when somebody saves or loads.
 * @module
 */

import type { BundleState } from "../manifest.ts";
import {
  type Bytes,
  bytesOf,
  decode,
  type DType,
  elementBytes,
  encode,
  loadHalves,
  product,
} from "./elements.ts";
import type { HostArray } from "./public.ts";

const FILE_TYPES = { f32: "F32", f16: "F16", i32: "I32", u32: "U32", bool: "BOOL" };
const fileBytes = (dtype: DType): number => dtype === "bool" ? 1 : elementBytes(dtype);

/** Wide types first, so that each tensor starts at a multiple of its element's size. */
export async function encodeState(
  state: readonly BundleState[],
  arrays: readonly HostArray[],
): Promise<Blob> {
  if (state.some(({ dtype }) => dtype === "f16")) await loadHalves();
  const width = (i: number) => fileBytes(state[i]!.dtype);
  const order = [...state.keys()].sort((a, b) => width(b) - width(a) || a - b);
  let end = 0;
  const entries = order.map((i) => {
    const { name, dtype, shape } = state[i]!;
    const entry = { dtype: FILE_TYPES[dtype], shape, data_offsets: [end, end += product(shape) * width(i)] };
    return `${JSON.stringify(name)}:${JSON.stringify(entry)}`;
  });
  const header = new TextEncoder().encode(`{${entries.join()}}`);
  const start = new Uint8Array(8 + Math.ceil(header.length / 8) * 8).fill(32);
  new DataView(start.buffer).setBigUint64(0, BigInt(start.length - 8), true);
  start.set(header, 8);
  const data = order.map((i) => {
    const { dtype } = state[i]!;
    return dtype === "f16"
      ? encode(dtype, arrays[i]!).subarray(0, arrays[i]!.length * 2)
      : bytesOf(arrays[i]!);
  });
  return new Blob([start, ...data]);
}

/** The arrays of all states, in their order. */
export async function decodeState(
  state: readonly BundleState[],
  blob: Blob,
  fail: (message: string) => never,
): Promise<HostArray[]> {
  if (state.some(({ dtype }) => dtype === "f16")) await loadHalves();
  const no = (why: string): never => fail(`state.load(): ${why}. Nothing was changed.`);
  const part = async (from: number, to: number): Promise<Bytes> =>
    new Uint8Array(await blob.slice(from, to).arrayBuffer());
  const length = blob.size < 8 ? NaN : Number(new DataView((await part(0, 8)).buffer).getBigUint64(0, true));
  if (!(length <= 1e8 && 8 + length <= blob.size)) no("the file is no safetensors file, or is cut off");
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(new TextDecoder().decode(await part(8, 8 + length)));
  } catch {
    return no("the file's header is not JSON");
  }
  const extra = Object.keys(header).find((name) =>
    name !== "__metadata__" && !state.some((s) => s.name === name)
  );
  if (extra !== undefined) no(`it has "${extra}", which the bundle doesn't`);
  return await Promise.all(state.map(async ({ name, dtype, shape }) => {
    const { dtype: type, shape: its, data_offsets: at } = header[name] ?? no(`it lacks "${name}"`);
    const bytes = await part(8 + length + at[0], 8 + length + at[1]);
    const fits = type === FILE_TYPES[dtype] && String(its) === String(shape) &&
      bytes.length === product(shape) * fileBytes(dtype);
    if (!fits) no(`it has "${name}" as ${type} [${its}], and the bundle as ${dtype} [${shape}]`);
    return dtype === "bool" ? bytes : decode(dtype, bytes, product(shape));
  }));
}
