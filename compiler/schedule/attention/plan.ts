/** The kernels of attention: one forward, two backward, in tiles that fit the target. */

import type { ScheduledKernel } from "../../kernel/scheduled.ts";
import type { Values } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import type { AttentionBackward } from "./backward.ts";
import { backwardKeys, type KeyResults } from "./backward_keys.ts";
import { backwardQueries } from "./backward_queries.ts";
import { type AttentionForward, Forward } from "./forward.ts";
import { firstWithin, tilesFor } from "./tile.ts";

/** Own rows per lane, where a lane may own several: more kept rows than this cost more than they share. */
const mostRows = { forward: 8, backward: 4 };

const product = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** O and lse. No kernel where there are no queries. */
export function planForward(
  k: Values,
  site: AttentionForward,
  target: Target,
  label: string,
): readonly ScheduledKernel[] {
  const lead = product(site.q.shape.slice(0, -2));
  const queries = site.q.shape.at(-2)!;
  if (lead * queries === 0) return [];
  const tiles = tilesFor(target, queries, lead, mostRows.forward, true);
  return [firstWithin(target, tiles, (tile) => new Forward(k, site, tile, label).kernel())];
}

/** dk and dv, then dq; dk and dv apart where one kernel would bind too many buffers. */
export function planBackward(
  k: Values,
  site: AttentionBackward,
  target: Target,
  label: string,
): readonly ScheduledKernel[] {
  const kernels: ScheduledKernel[] = [];
  const [keys, queries] = [site.k, site.q].map(({ shape }) => ({
    rows: shape.at(-2)!,
    lead: product(shape.slice(0, -2)),
  })) as [Own, Own];
  if (keys.lead * keys.rows > 0) {
    const tiles = tilesFor(target, keys.rows, keys.lead, mostRows.backward, false);
    const build = (results: KeyResults) =>
      firstWithin(target, tiles, (tile) => backwardKeys(k, site, results, tile, label));
    const both = build({ dk: true, dv: true });
    if (both.buffers.length <= target.limits.storageBuffers) kernels.push(both);
    else kernels.push(build({ dk: true, dv: false }), build({ dk: false, dv: true }));
  }
  if (queries.lead * queries.rows > 0) {
    const tiles = tilesFor(target, queries.rows, queries.lead, mostRows.backward, false);
    kernels.push(firstWithin(target, tiles, (tile) => backwardQueries(k, site, tile, label)));
  }
  return kernels;
}

interface Own {
  readonly rows: number;
  readonly lead: number;
}
