/**
 * Text on disk: written whole or not at all.
 * @module
 */

import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RunError } from "../compiler/errors.ts";
import { osReason } from "./os_reason.ts";

/**
 * Writes a text beside its place and moves it there: a reader sees the old file or the new one.
 *
 * @throws RunError where it can't be written.
 */
export async function writeWhole(path: string | URL, text: string): Promise<void> {
  const target = path instanceof URL ? fileURLToPath(path) : path;
  const temporary = join(dirname(target), `.${basename(target)}.${crypto.randomUUID()}.tmp`);
  try {
    await Deno.writeTextFile(temporary, text, { createNew: true });
    await Deno.rename(temporary, target);
  } catch (cause) {
    await Deno.remove(temporary).catch(() => {});
    throw new RunError(`${target} can't be written: ${osReason(cause)}.`, {
      cause,
    });
  }
}
