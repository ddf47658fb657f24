/**
 * Remembering the self-test of an adapter between processes.
 *
 * A profile belongs to an adapter as its driver describes it, the driver's version and the engine's.
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import type { AdapterDescription } from "./adapter.ts";
import { cacheFolder, driverDates } from "./cache_folder.ts";
import { CHECK_NAMES, type QuirkProfile } from "./self_test.ts";

/** Goes up when a check changes what it asks, so that an old answer is not taken for a new one. */
const CHECKS_VERSION = 4;

/** What tells adapters apart: the part of a description that is known before a device is opened. */
export type AdapterIdentity = Pick<AdapterDescription, "vendor" | "device" | "description">;

/** What a profile is remembered under. */
export function cacheKey({ vendor, device, description }: AdapterIdentity): string {
  const checks = [CHECKS_VERSION, ...CHECK_NAMES];
  return JSON.stringify([checks, Deno.version.deno, vendor, device, description, driverDates()]);
}

/** The profile that was remembered under a key; null where there is none or it can't be read. */
export function recallProfile(key: string, folder: string = cacheFolder()): QuirkProfile | null {
  try {
    const remembered = JSON.parse(Deno.readTextFileSync(fileOf(key, folder)));
    return remembered.key === key ? remembered.profile : null;
  } catch {
    return null;
  }
}

/** Remembers a profile. Where the folder can't be written it is found out anew each time, which is only slower. */
export function rememberProfile(key: string, profile: QuirkProfile, folder: string = cacheFolder()): void {
  try {
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(fileOf(key, folder), JSON.stringify({ key, profile }, null, 2));
  } catch {
    // Nothing is lost but time.
  }
}

function fileOf(key: string, folder: string): string {
  return join(folder, `adapter-${createHash("sha256").update(key).digest("hex").slice(0, 16)}.json`);
}
