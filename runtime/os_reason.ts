/**
 * Why a file could not be read or written, in words: what the system says of it is a number and a call.
 * @module
 */

const reasons: readonly (readonly [error: new (...args: never[]) => Error, because: string])[] = [
  [Deno.errors.NotFound, "there is no such file or folder"],
  [Deno.errors.IsADirectory, "it is a folder"],
  [Deno.errors.NotADirectory, "a part of its path is a file and no folder"],
  [Deno.errors.AlreadyExists, "there is something of that name already"],
  [Deno.errors.PermissionDenied, "the system does not permit it"],
  [Deno.errors.NotCapable, "Deno was not allowed to (--allow-read, --allow-write)"],
  [Deno.errors.FilesystemLoop, "its links lead in a circle"],
  [Deno.errors.Interrupted, "it was interrupted"],
];

/** What errors without a class of their own say at their beginning. */
const texts: readonly (readonly [begins: RegExp, because: string])[] = [
  [/Is a directory/, "it is a folder"],
  [/Not a directory/, "a part of its path is a file and no folder"],
  [/No space left/, "there is no space left on the disk"],
  [/Read-only file system/, "its disk is read-only"],
  [/File name too long/, "its name is too long"],
  [/Too many levels of symbolic links/, "its links lead in a circle"],
  [/stream did not contain valid UTF-8|invalid utf-8/i, "it is no text in UTF-8"],
];

/**
 * The reason as the end of a sentence, without a full stop.
 *
 * @example
 * ```ts
 * import { osReason } from "./os_reason.ts";
 *
 * try {
 *   Deno.readTextFileSync("nowhere.json");
 * } catch (error) {
 *   console.error(`nowhere.json can't be read: ${osReason(error)}.`); // there is no such file or folder
 * }
 * ```
 */
export function osReason(error: unknown): string {
  const known = reasons.find(([kind]) => error instanceof kind)?.[1];
  if (known !== undefined) return known;
  const said = error instanceof Error ? error.message : String(error);
  return texts.find(([begins]) => begins.test(said))?.[1] ??
    // `…: open 'path'`, and the number of the error.
    said.replace(/ \(os error \d+\)/, "").replace(/: \w+ '.*$/s, "").replace(/\.$/, "");
}
