/** The kernels of attention: one forward, two backward, in tiles that fit the target. */

import type { ScheduledKernel } from "../../kernel/scheduled.ts";
import type { Writer } from "../../kernel/program_op.ts";
import type { BufferRef, ConcreteType, Reader, Value } from "../../kernel/value.ts";
import type { Values } from "../../kernel/values.ts";
import type { Target } from "../../target.ts";
import type { AttentionBackward } from "./backward.ts";
import { backwardKeys, type KeyResults } from "./backward_keys.ts";
import { backwardQueries } from "./backward_queries.ts";
import { type AttentionForward, Forward } from "./forward.ts";
import { firstWithin, tilesFor } from "./tile.ts";

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
  const tiles = tilesFor(target, queries, lead, true);
  return [firstWithin(target, tiles, (tile) => new Forward(k, site, tile, label).kernel())];
}

/**
 * dq, then dk and dv.
 *
 * The kernel for dq leaves Δ in scratch for the other. That takes a buffer more; where so many cannot be bound, Δ is
 * computed anew, and, where that is still too many (a mask, and nothing packed), dk and dv are two kernels.
 */
export function planBackward(
  k: Values,
  site: AttentionBackward,
  target: Target,
  label: string,
  scratch: (size: number) => BufferRef,
): readonly ScheduledKernel[] {
  const most = target.limits.storageBuffers;
  const queries = { rows: site.q.shape.at(-2)!, lead: product(site.q.shape.slice(0, -2)) };
  const keys = { rows: site.k.shape.at(-2)!, lead: product(site.k.shape.slice(0, -2)) };
  const queriesKernel = (to: AttentionBackward) =>
    firstWithin(
      target,
      tilesFor(target, queries.rows, queries.lead, false),
      (tile) => backwardQueries(k, to, tile, label),
    );
  const keysKernel = (from: AttentionBackward, results: KeyResults) =>
    firstWithin(
      target,
      tilesFor(target, keys.rows, keys.lead, false),
      (tile) => backwardKeys(k, from, results, tile, label),
    );

  const kernels: ScheduledKernel[] = [];
  let known = site;
  let shared: readonly BufferRef[] = [];
  if (queries.lead * queries.rows > 0) {
    const isKnown = site.out.shape.length < site.q.shape.length;
    const kept = isKnown ? undefined : keptDeltas(k, site, scratch(queries.lead * queries.rows));
    const leaving = kept && queriesKernel({ ...site, delta: kept.writer });
    if (leaving && leaving.buffers.length <= most) {
      known = { ...site, out: kept.reader };
      shared = [kept.writer.buffer];
      kernels.push(leaving);
    } else kernels.push(queriesKernel(site));
  } // Without queries there are no pairs to mask, and all that is left to do is to store zeros.
  else known = { ...site, mask: undefined, causal: false };
  if (keys.lead * keys.rows > 0) {
    const both = keysKernel(known, { dk: true, dv: true });
    if (both.buffers.length <= most) kernels.push(both);
    else kernels.push(keysKernel(known, { dk: true, dv: false }), keysKernel(known, { dk: false, dv: true }));
  }
  return kernels.map((kernel) => ({ ...kernel, scratch: shared }));
}

/** Δ per query in a buffer of its own. */
function keptDeltas(
  k: Values,
  { q }: AttentionBackward,
  buffer: BufferRef,
): { writer: Writer; reader: Reader } {
  const type: ConcreteType = { shape: q.shape.slice(0, -1), dtype: "f32" };
  const at = (index: readonly Value[]) => {
    const parts: (readonly [Value, number])[] = [];
    let stride = 1;
    for (let axis = type.shape.length - 1; axis >= 0; axis--) {
      parts.push([index[axis]!, stride]);
      stride *= type.shape[axis]!;
    }
    return k.affine(parts);
  };
  return { writer: { ...type, buffer, at }, reader: { ...type, at: (index) => k.load(buffer, at(index)) } };
}
