/**
 * Other libraries on the same workloads, each in a process of its own that prints one JSON line per workload
 * (`ms_amort`, `first_ms`).
 * @module
 */

import { join } from "node:path";
import { UsageError } from "../../runtime/cli/usage_error.ts";

export interface PeerTime {
  readonly peer: string;
  readonly ms: number;
  readonly first: number;
}

const runners = [["jax-js", "jax.mjs"], ["tfjs", "tfjs.mjs"], ["ort-web", "ort.mjs"]] as const;

/**
 * One run of every peer; those that don't know the workload, or fail at it, are left out.
 *
 * @param cacheOf Where a peer's run finds the driver's cache of shaders (of Mesa's). Default: where everybody does.
 */
export async function peerTimes(
  folder: string,
  workload: string,
  cacheOf?: (peer: string) => string,
): Promise<PeerTime[]> {
  const times: PeerTime[] = [];
  for (const [peer, file] of runners) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", file, workload],
      cwd: folder,
      env: { ORT_BUILD: "jspi", ...cacheOf && { MESA_SHADER_CACHE_DIR: cacheOf(peer) } },
      stdin: "null",
      stderr: "null",
    }).output();
    for (const line of new TextDecoder().decode(stdout).split("\n")) {
      if (!line.startsWith("{")) continue;
      const record = JSON.parse(line);
      if (record.workload !== workload || typeof record.ms_amort !== "number") continue;
      times.push({ peer, ms: record.ms_amort, first: record.first_ms });
    }
  }
  return times;
}

/** @throws UsageError where there are no runners in the folder. */
export function checkPeers(folder: string): void {
  for (const [, file] of runners) {
    try {
      Deno.statSync(join(folder, file));
      Deno.statSync(join(folder, "node_modules"));
    } catch {
      throw new UsageError(
        `${folder} has no ${file} or no node_modules: --peers wants the folder of the peers' runners, with their packages installed`,
      );
    }
  }
}
