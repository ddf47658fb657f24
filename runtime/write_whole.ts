/**
 * Files on disk: written whole or not at all.
 * @module
 */

import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RunError } from "../compiler/errors.ts";

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
    throw new RunError(`${target} can't be written: ${cause instanceof Error ? cause.message : cause}.`, {
      cause,
    });
  }
}
