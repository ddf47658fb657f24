/**
 * Where Weft remembers between processes what it can find out again, and what tells one driver from the next.
 * @module
 */

import { homedir } from "node:os";
import { join } from "node:path";

const DRIVER_MANIFESTS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/** Where Weft keeps what it can find out again: the system's own place for caches. */
export function cacheFolder(): string {
  const home = homedir();
  const base = {
    darwin: join(home, "Library", "Caches"),
    windows: Deno.env.get("LOCALAPPDATA") ?? join(home, "AppData", "Local"),
  }[Deno.build.os as string] ?? (Deno.env.get("XDG_CACHE_HOME") || join(home, ".cache"));
  return join(base, "weft");
}

/**
 * What changes with the driver: WebGPU does not tell a driver's version, but a newly installed driver has a newly dated
 * manifest, so the manifests' dates stand in.
 */
export function driverDates(): [name: string, modified: number][] {
  return DRIVER_MANIFESTS.flatMap((folder) => {
    try {
      return [...Deno.readDirSync(folder)].map(({ name }): [string, number] => {
        return [name, Deno.statSync(join(folder, name)).mtime?.getTime() ?? 0];
      });
    } catch {
      return [];
    }
  }).sort();
}

/** Whether the cache may be used: asked first, since using it without permission would stop the program with a question. */
export function mayUseCache(names: readonly ("read" | "write" | "env" | "sys")[]): boolean {
  return names.every((name) => Deno.permissions.querySync({ name }).state === "granted");
}
