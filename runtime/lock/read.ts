/**
 * Reading a lock from disk.
 * @module
 */

import { RunError } from "../../compiler/errors.ts";
import type { PlanLock } from "../../compiler/lock/lock.ts";
import { osReason } from "../os_reason.ts";

/** More bytes than any lock has. */
const mostBytes = 256 * 2 ** 20;

/**
 * Reads a lock, and checks all of it.
 *
 * @throws RunError that says what does not hold, or that there is no such file.
 * @example
 * ```ts
 * import { readLock } from "./read.ts";
 *
 * try {
 *   const lock = await readLock("plan.lock.json");
 *   console.log(lock.versions.weft, lock.dispatches.length);
 * } catch (error) {
 *   console.error(`${error}`); // There is no file plan.lock.json; `weft lock` writes one.
 * }
 * ```
 */
export async function readLock(path: string | URL): Promise<PlanLock> {
  let text: string;
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile) throw new RunError(`${path} is no file.`);
    if (size > mostBytes) {
      throw new RunError(`${path} has ${size} bytes, and a lock has ${mostBytes} at most.`);
    }
    text = await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof RunError) throw cause;
    if (cause instanceof Deno.errors.NotFound) {
      throw new RunError(`There is no file ${path}; \`weft lock\` writes one.`, { cause });
    }
    throw new RunError(`${path} can't be read: ${osReason(cause)}.`, {
      cause,
    });
  }
  // Who reads no lock need not load what checks one.
  const { parseLock } = await import("./check.ts");
  return parseLock(text, String(path));
}
