/**
 * What is known of an adapter's behavior, from the process that uses it.
 * @module
 */

import type { OpenedAdapter } from "./adapter.ts";
import { mayUseCache } from "./cache_folder.ts";
import { cacheKey, recallProfile } from "./quirk_cache.ts";
import { type QuirkProfile, selfTest } from "./self_test.ts";

/**
 * The profile of an opened adapter: what set-up remembered, else what the self-test finds now. The latter leaves out
 * the checks that may abort the process, and is not remembered, so that set-up still asks all of them.
 *
 * @example
 * ```ts
 * import { openAdapter } from "./adapter.ts";
 * import { quirksOf } from "./quirks.ts";
 *
 * const opened = await openAdapter();
 * const quirks = await quirksOf(opened);
 * console.log(quirks.subgroups.ok ? `subgroups of ${quirks.subgroups.measured}` : quirks.subgroups.saw);
 * opened.device.destroy();
 * ```
 */
export async function quirksOf(opened: OpenedAdapter): Promise<QuirkProfile> {
  const remembered = mayUseCache(["read", "env", "sys"]) ? recallProfile(cacheKey(opened.adapter)) : null;
  return remembered ?? await selfTest(opened);
}
