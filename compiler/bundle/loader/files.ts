/**
 * The files of a bundle: read from front to back, each checked against its hash before it is used.
 * @module
 */

import type { Bytes } from "./elements.ts";
import { BundleError, type LoadOptions } from "./public.ts";

/** Tensors are hashed in pieces of this many bytes. */
export const PIECE = 4 << 20;

export function fail(message: string): never {
  throw new BundleError(message);
}

/** The bytes, if they have this hash. */
export async function verified(bytes: Bytes, hash: string, name: string): Promise<Bytes> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = digest.reduce((text, byte) => text + (256 + byte).toString(16).slice(1), "");
  return hex === hash ? bytes : fail(`${name} was changed.`);
}

async function* streamOf(base: URL, name: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (!/^[\w-]+([./][\w-]+)*$/.test(name)) fail(`"${name}" is no file of a bundle.`);
  const url = new URL(name, base);
  let reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
  try {
    if (url.protocol === "file:") { // put together so that bundlers for pages leave it alone
      yield* (await import(["node", "fs"].join(":"))).createReadStream(url);
    } else {
      const response = await fetch(url);
      if (!response.ok) throw `the server says ${response.status}`;
      reader = response.body!.getReader();
      for (let part; !(part = await reader.read()).done;) yield part.value;
    }
  } catch (error) {
    fail(`${name} can't be read: ${error}`);
  } finally {
    reader?.cancel().catch(() => {});
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
  const chunks = streamOf(base, name);
  let rest: Uint8Array = new Uint8Array(0);
  return {
    async take(count) {
      const bytes = new Uint8Array(count);
      let at = 0;
      while (at < count) {
        if (!rest.length) {
          const { done, value } = await chunks.next();
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
  for await (const part of streamOf(base, name)) parts.push(part);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

export const textOf = (bytes: Bytes): string => new TextDecoder().decode(bytes);

/** The bundle's folder. */
export function folderOf({ base = "." }: LoadOptions): URL {
  const url = new URL(base, import.meta.url);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}
