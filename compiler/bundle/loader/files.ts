/**
 * The files of a bundle: read from front to back, each checked against its hash before it is used.
 * @module
 */

import { type Bytes, bytesOf } from "./elements.ts";
import { BundleError, type LoadOptions } from "./public.ts";

/** Tensors are hashed in pieces of this many bytes. */
export const PIECE = 4 << 20;

export function fail(message: string): never {
  throw new BundleError(message);
}

export async function sha256(bytes: Bytes): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function* streamOf(url: URL): AsyncGenerator<Uint8Array> {
  if (url.protocol === "file:") { // put together so that bundlers for pages leave it alone
    const { createReadStream } = await import(["node", "fs"].join(":"));
    yield* createReadStream(url);
    return;
  }
  const response = await fetch(url);
  if (!response.ok) throw `the server says ${response.status}`;
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** A file, read from front to back. */
export class BundleFile {
  readonly #url: URL;
  readonly #chunks: AsyncGenerator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(base: URL, name: string) {
    if (!/^[\w-]+(\.[\w-]+)*(\/[\w-]+(\.[\w-]+)*)*$/.test(name)) fail(`"${name}" is not a file of a bundle.`);
    this.#url = new URL(name, base);
    this.#chunks = streamOf(this.#url);
  }

  /** The next bytes; fewer where the file ends. */
  async take(count: number): Promise<Bytes> {
    const bytes = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next().catch((error) => fail(`${this.#url} can't be read: ${error}`));
        if (next.done) break;
        this.#rest = next.value;
        continue;
      }
      const part = this.#rest.subarray(0, count - at);
      bytes.set(part, at);
      at += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return bytes.subarray(0, at);
  }

  /** The next bytes, which must have this hash. */
  async verified(count: number, hash: string): Promise<Bytes> {
    const bytes = await this.take(count);
    if (bytes.length < count) fail(`${this.#url} is cut off.`);
    if (await sha256(bytes) !== hash) fail(`${this.#url} is not the file that the bundle was made with.`);
    return bytes;
  }

  /** Stops reading. @param whole The file must end here. */
  async close(whole?: boolean): Promise<void> {
    const more = whole && (await this.take(1)).length > 0;
    await this.#chunks.return(undefined).catch(() => {});
    if (more) fail(`${this.#url} is longer than the bundle says.`);
  }
}

/** A small file whole. */
export async function read(base: URL, name: string): Promise<Bytes> {
  const parts: Bytes[] = [];
  const file = new BundleFile(base, name);
  for (let part; (part = await file.take(PIECE)).length;) parts.push(part);
  return bytesOf(new Uint8Array(await new Blob(parts).arrayBuffer()));
}

/** The bundle's folder. */
export function folderOf({ base = "." }: LoadOptions): URL {
  const url = new URL(base, import.meta.url);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}
