/**
 * Files on disk: written whole or not at all.
 * @module
 */

import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RunError } from "../compiler/errors.ts";
import { osReason } from "./os_reason.ts";

/**
 * Writes a file beside its place and moves it there: a reader sees the old file or the new one.
 *
 * @throws RunError where it can't be written.
 */
export async function writeWhole(
  path: string | URL,
  contents: string | Uint8Array | ReadableStream<Uint8Array>,
): Promise<void> {
  const target = path instanceof URL ? fileURLToPath(path) : path;
  const temporary = join(dirname(target), `.${basename(target)}.${crypto.randomUUID()}.tmp`);
  try {
    if (typeof contents === "string") await Deno.writeTextFile(temporary, contents, { createNew: true });
    else await Deno.writeFile(temporary, contents, { createNew: true });
    await Deno.rename(temporary, target);
  } catch (cause) {
    await Deno.remove(temporary).catch(() => {});
    throw new RunError(`${target} can't be written: ${osReason(cause)}.`, { cause });
  }
}

/**
 * Makes a folder, and those that it lies in, where they are missing.
 *
 * @throws RunError where it can't be made.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (cause) {
    throw new RunError(`the folder ${path} can't be made: ${osReason(cause)}.`, { cause });
  }
}
