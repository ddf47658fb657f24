/**
 * Reading and writing safetensors files: named tensors with a header that can be checked, and nothing that runs.
 *
 * A reader checks the whole header when it opens and reads tensors one by one, so a large file needs no more memory
 * than its largest tensor. A writer never leaves a half-written file under the name it was given.
 * @module
 */

import { counted } from "../compiler/counted.ts";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RunError } from "../compiler/errors.ts";
import { showShape } from "../compiler/graph/dim.ts";
import type { DType, StoredArray } from "../compiler/graph/dtype.ts";
import { described } from "./host_form.ts";
import { osReason } from "./os_reason.ts";
import { decodeElements, encodeElements, FILE_TYPES, readableAs } from "./safetensors/convert.ts";
import { buildHeader, elementBytes, type Header, headerLength, parseHeader } from "./safetensors/header.ts";

/** A tensor on the host. */
export interface HostTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: StoredArray;
}

/** What a file says of a tensor. */
export interface FileTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** The file's own name of the type, such as `BF16`. */
  readonly fileType: string;
  /** What it is read as where nothing else is asked for; undefined where Weft has no such type. */
  readonly dtype: DType | undefined;
}

/** Bytes that can be read from anywhere. */
interface Source {
  readonly name: string;
  readonly bytes: number;
  read(at: number, bytes: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): void;
}

/**
 * An open safetensors file.
 *
 * @example
 * ```ts
 * import { SafetensorsReader, writeSafetensors } from "./safetensors.ts";
 *
 * const path = await Deno.makeTempFile({ suffix: ".safetensors" });
 * await writeSafetensors(path, [{ name: "w", shape: [2], dtype: "f32", data: new Float32Array([1, 2]) }]);
 * using file = await SafetensorsReader.open(path);
 * console.log(file.tensors.get("w")?.shape, (await file.read("w")).data);
 * ```
 */
export class SafetensorsReader implements Disposable {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly #source: Source;
  readonly #header: Header;

  private constructor(source: Source, header: Header) {
    this.#source = source;
    this.#header = header;
    this.metadata = header.metadata;
    this.tensors = new Map(
      [...header.entries].map(([name, { shape, dtype: fileType }]) => [
        name,
        { name, shape, fileType, dtype: readableAs(fileType)[0] },
      ]),
    );
  }

  /** Opens a file and checks its header. Close it, or declare it with `using`. */
  static open(path: string | URL): Promise<SafetensorsReader> {
    return SafetensorsReader.#from(openFile(path));
  }

  /** Reads from memory. `name` is what messages call it. */
  static fromBytes(bytes: Uint8Array<ArrayBuffer>, name = "The data"): Promise<SafetensorsReader> {
    const read = (at: number, length: number) => Promise.resolve(bytes.slice(at, at + length));
    return SafetensorsReader.#from({ name, bytes: bytes.length, read, close: () => {} });
  }

  static async #from(source: Source): Promise<SafetensorsReader> {
    const { name, bytes } = source;
    try {
      const length = headerLength(await source.read(0, Math.min(8, bytes)), bytes, name);
      return new SafetensorsReader(source, parseHeader(await source.read(8, length), bytes, name));
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** One tensor, as the type that is closest to the file's or as one that holds it exactly. */
  async read(name: string, as?: DType): Promise<HostTensor> {
    const entry = this.#header.entries.get(name);
    const file = this.#source.name;
    if (entry === undefined) {
      const names = [...this.tensors.keys()];
      throw new RunError(
        `${file} has no tensor "${name}"; it has ${
          names.slice(0, 10).map((n) => `"${n}"`).join(", ") || "none"
        }` +
          `${names.length > 10 ? ` and ${names.length - 10} more` : ""}.`,
      );
    }
    const possible = readableAs(entry.dtype);
    const dtype = as ?? possible[0];
    if (dtype === undefined || !possible.includes(dtype)) {
      throw new RunError(
        `The tensor "${name}" of ${file} is ${entry.dtype}, which can't be read as ${
          dtype ?? "any type that Weft has"
        }.` +
          (possible.length > 0 ? ` It can be read as ${possible.join(" or ")}.` : " Convert the file first."),
      );
    }
    const bytes = await this.#source.read(this.#header.dataStart + entry.begin, entry.end - entry.begin);
    return { name, shape: entry.shape, dtype, data: decodeElements(entry.dtype, bytes, name) };
  }

  [Symbol.dispose](): void {
    this.#source.close();
  }
}

/** The bytes of a file with these tensors, in pieces: the header, then each tensor. */
export function* encodeSafetensors(
  tensors: readonly HostTensor[],
  metadata?: Readonly<Record<string, string>>,
): Generator<Uint8Array<ArrayBufferLike>> {
  for (const [key, text] of Object.entries(metadata ?? {})) {
    if (typeof text === "string") continue;
    throw new RunError(`The metadata of a file are texts, and "${key}" is ${described(text)}.`);
  }
  const named = new Set<string>();
  for (const { name, shape, dtype, data } of tensors) {
    if (name === "__metadata__" || named.has(name)) {
      throw new RunError(`A file can't have two tensors "${name}".`);
    }
    named.add(name);
    const elements = shape.reduce((n, size) => n * size, 1);
    if (elements === data.length) continue;
    throw new RunError(
      `"${name}" is ${dtype} ${showShape(shape)}, ${
        counted(elements, "element")
      }, and its array has ${data.length}.`,
    );
  }
  // Wide types first: then every tensor starts at a multiple of its element's size, as readers that map files want.
  const width = (tensor: HostTensor) => elementBytes(FILE_TYPES[tensor.dtype])!;
  const ordered = tensors.toSorted((a, b) => width(b) - width(a));
  yield buildHeader(
    ordered.map(({ name, shape, dtype }) => ({ name, shape, dtype: FILE_TYPES[dtype] })),
    metadata,
  );
  for (const { dtype, data } of ordered) yield encodeElements(dtype, data);
}

/** Writes a file in one piece or not at all: a reader sees the old file or the new one, whenever this ends. */
export async function writeSafetensors(
  path: string | URL,
  tensors: readonly HostTensor[],
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const target = pathOf(path);
  const temporary = join(dirname(target), `.${basename(target)}.${crypto.randomUUID()}.tmp`);
  try {
    using file = await Deno.open(temporary, { write: true, createNew: true });
    for (const piece of encodeSafetensors(tensors, metadata)) {
      for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
    }
    // Before the rename, or a crash of the machine could leave the new name with nothing behind it.
    await file.sync();
    await Deno.rename(temporary, target);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    if (error instanceof RunError) throw error;
    throw new RunError(`${target} can't be written: ${osReason(error)}.`, { cause: error });
  }
}

const unreadable = (path: string | URL, cause: unknown): RunError =>
  new RunError(`${pathOf(path)} can't be read: ${osReason(cause)}.`, { cause });

function opened(path: string | URL): Deno.FsFile {
  try {
    return Deno.openSync(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw unreadable(path, cause);
    throw new RunError(`There is no file ${path}; a checkpoint is written by \`state.save(path)\`.`, {
      cause,
    });
  }
}

function openFile(path: string | URL): Source {
  const name = pathOf(path);
  const file = opened(path);
  try {
    const { size, isDirectory } = file.statSync();
    if (isDirectory) throw new RunError(`${name} can't be read: it is a folder.`);
    // A file has one position, so reads take turns.
    let last: Promise<unknown> = Promise.resolve();
    const read = (at: number, bytes: number) => {
      const mine = last.then(() => readAt(file, name, at, bytes)).catch((cause) => {
        throw cause instanceof RunError ? cause : unreadable(path, cause);
      });
      last = mine.catch(() => {});
      return mine;
    };
    return { name, bytes: size, read, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

async function readAt(
  file: Deno.FsFile,
  name: string,
  at: number,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const data = new Uint8Array(bytes);
  await file.seek(at, Deno.SeekMode.Start);
  for (let done = 0; done < bytes;) {
    const got = await file.read(data.subarray(done));
    if (got === null) throw new RunError(`${name} ended after ${at + done} bytes while it was being read.`);
    done += got;
  }
  return data;
}

const pathOf = (path: string | URL): string => path instanceof URL ? fileURLToPath(path) : path;
