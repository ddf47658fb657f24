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

/** The bytes, if they have this hash. */
export async function verified(bytes: Bytes, hash: string, name: string): Promise<Bytes> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex === hash ? bytes : fail(`${name} was changed.`);
}

async function* streamOf(url: URL): AsyncGenerator<Uint8Array> {
  if (url.protocol === "file:") { // put together so that bundlers for pages leave it alone
    const { createReadStream } = await import(["node", "fs"].join(":"));
    yield* createReadStream(url);
    return;
  }
  const response = await fetch(url);
  if (!response.ok) throw `the server says ${response.status}`;
  const reader = response.body!.getReader();
  try {
    for (let part; !(part = await reader.read()).done;) yield part.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** A file, read from front to back. */
export interface BundleFile {
  /** The next bytes; fewer where the file ends. */
  take(count: number): Promise<Bytes>;
  /** Stops reading. */
  close(): Promise<unknown>;
}

export function openFile(base: URL, name: string): BundleFile {
  if (!/^[\w-]+([./][\w-]+)*$/.test(name)) fail(`"${name}" is no file of a bundle.`);
  const chunks = streamOf(new URL(name, base));
  let rest: Uint8Array = new Uint8Array(0);
  return {
    async take(count) {
      const bytes = new Uint8Array(count);
      let at = 0;
      while (at < count) {
        if (!rest.length) {
          const { done, value } = await chunks.next().catch((error) =>
            fail(`${name} can't be read: ${error}`)
          );
          if (done) break;
          rest = value;
        }
        const part = rest.subarray(0, count - at);
        bytes.set(part, at);
        at += part.length;
        rest = rest.subarray(part.length);
      }
      return bytes.subarray(0, at);
    },
    close: () => chunks.return(undefined),
  };
}

/** A small file whole. */
export async function read(base: URL, name: string): Promise<Bytes> {
  const parts: Bytes[] = [];
  const file = openFile(base, name);
  for (let part; (part = await file.take(PIECE)).length;) parts.push(part);
  return bytesOf(new Uint8Array(await new Blob(parts).arrayBuffer()));
}

export const textOf = (bytes: Bytes): string => new TextDecoder().decode(bytes);

/** The bundle's folder. */
export function folderOf({ base = "." }: LoadOptions): URL {
  const url = new URL(base, import.meta.url);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}
