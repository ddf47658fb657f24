/**
 * A file of text, written whole or not at all.
 * @module
 */

import { basename, dirname, join, resolve } from "node:path";
import { RunError } from "../../compiler/errors.ts";

/**
 * Writes beside the place and renames: a reader sees the old file or the new one.
 *
 * @throws RunError where it can't be written.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const target = resolve(path);
  const aside = join(dirname(target), `.${basename(target)}.${crypto.randomUUID()}.tmp`);
  try {
    await Deno.writeTextFile(aside, text, { createNew: true });
    await Deno.rename(aside, target);
  } catch (cause) {
    await Deno.remove(aside).catch(() => {});
    throw new RunError(`${path} can't be written: ${cause instanceof Error ? cause.message : cause}.`, {
      cause,
    });
  }
}
