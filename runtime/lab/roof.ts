/**
 * The roofs over a kernel (Williams, Waterman and Patterson 2009): what it can take at least on a device, by
 * what it has to move, by what it has to compute, and because a dispatch costs something whatever it does.
 * @module
 */

import type { KernelWork } from "../../compiler/kernel/work.ts";
import type { Peaks } from "./peaks.ts";

/** What keeps a kernel from being faster, if anything does. */
export type RoofName = "memory" | "compute" | "dispatch";

/** Where a kernel stands under the roofs of its device. */
export interface RoofPosition {
  /** Bytes that have to move, in 10⁹ a second. */
  readonly gbPerS: number;
  /** Floating-point operations in 10⁹ a second. */
  readonly gflops: number;
  /** Floating-point operations for each byte that has to move; 0 where nothing moves. */
  readonly intensity: number;
  /** The roof under which it would take longest. */
  readonly binds: RoofName;
  /** Milliseconds that it would take at that roof. */
  readonly roofMs: number;
  /**
   * That over what it took. Above 1 where a cache gives more than the copies of the probe, or the clock is
   * coarse.
   */
  readonly ofRoof: number;
}

/**
 * Gigabytes a second that a device copies where so much is moved: between two sizes in proportion, on a log
 * scale.
 */
export function bandwidthAt(bytes: number, { bandwidth }: Pick<Peaks, "bandwidth">): number {
  const above = bandwidth.findIndex((entry) => entry.bytes >= bytes);
  if (above < 0) return bandwidth.at(-1)!.gbPerS;
  if (above === 0) return bandwidth[0]!.gbPerS;
  const [low, high] = [bandwidth[above - 1]!, bandwidth[above]!];
  const part = Math.log(bytes / low.bytes) / Math.log(high.bytes / low.bytes);
  return low.gbPerS * (high.gbPerS / low.gbPerS) ** part;
}

/** Where a dispatch stands that does some work in some milliseconds. */
export function roofOf(
  { reads, writes, flops }: Pick<KernelWork, "reads" | "writes" | "flops">,
  ms: number,
  peaks: Peaks,
): RoofPosition {
  const bytes = reads + writes;
  const times: Readonly<Record<RoofName, number>> = {
    memory: bytes === 0 ? 0 : bytes / bandwidthAt(bytes, peaks) / 1e6,
    compute: flops / peaks.gflops / 1e6,
    dispatch: peaks.dispatchMs,
  };
  const binds = (Object.keys(times) as RoofName[]).reduce((a, b) => times[b] > times[a] ? b : a);
  // A clock may show nothing at all for what is very short.
  const seconds = Math.max(ms, 1e-6) / 1e3;
  return {
    gbPerS: bytes / seconds / 1e9,
    gflops: flops / seconds / 1e9,
    intensity: bytes === 0 ? 0 : flops / bytes,
    binds,
    roofMs: times[binds],
    ofRoof: times[binds] / (seconds * 1e3),
  };
}
