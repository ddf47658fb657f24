/**
 * Scan: cumulative sums, products and extremes in one walk per row (SCHEDULES §8), where the map schedule would sum anew
 * for every element.
 *
 *     problem.ts  is the group a scan? its axis and direction
 *     shape.ts    who walks which part of which row
 *     state.ts    what is carried along, restarts included
 *     slot.ts     what a lane has in its registers
 *     writer.ts   the kernels
 *
 * Where rows are too few to fill the machine they are cut into chunks, and there are two kernels: what each chunk comes to,
 * and the scan of each chunk from what the chunks before it come to. Elements are joined in a fixed grouping, so results
 * do not depend on when anything ran.
 */

import { counted } from "../../counted.ts";
import type { Target } from "../../target.ts";
import { fits } from "../fits.ts";
import type { LoweredGroup, Scheduled, ScheduledKernel } from "../group.ts";
import { isScan, type Scan, scanOf } from "./problem.ts";
import { type Cut, type ScanShape, scanShape } from "./shape.ts";
import { ChunkTotals } from "./totals.ts";
import { ScanWriter } from "./writer.ts";

export function scheduleScan(group: LoweredGroup, target: Target): Scheduled {
  const scan = scanOf(group);
  if (!isScan(scan)) return scan;
  const { kernels } = kernelsOf(scan, group.label, target, "fill the machine");
  if (fits(kernels, target)) return kernels;
  const whole = kernelsOf(scan, group.label, target, "as a driver needs");
  if (fits(whole.kernels, target)) return whole.kernels;
  const binds = Math.max(...whole.kernels.map(({ buffers }) => buffers.length));
  return {
    refused:
      `rows are cut for a driver that ends loops early, and a kernel then needs ${
        counted(binds, "buffer")
      } where it may ` +
      `have ${target.limits.storageBuffers}`,
  };
}

/** The kernels with fewer accesses per turn where the element is much to compute. */
function kernelsOf(scan: Scan, label: string, target: Target, cut: Cut): Written {
  let unroll = target.row.unroll;
  for (;;) {
    const written = writeKernels(scan, label, scanShape(scan, target, unroll, cut));
    if (unroll === 1 || written.statements <= target.statements) return written;
    unroll >>= 1;
  }
}

interface Written {
  readonly kernels: readonly ScheduledKernel[];
  /** Of the largest. */
  readonly statements: number;
}

function writeKernels(scan: Scan, label: string, shape: ScanShape): Written {
  const { groups, chunks } = shape;
  const common = { groups, schedule: "scan" };
  const last = new ScanWriter(scan, shape);
  if (chunks === 1) {
    last.scanned();
    const kernel = { ...last.b.finish(groups), ...common, label, split: false, scratch: [] };
    return { statements: last.b.statements, kernels: [kernel] };
  }
  const totals = new ChunkTotals(scan.roots[0]!.buffer.name, scan.prefix, shape);
  const first = new ScanWriter(scan, shape);
  first.totals(totals);
  last.scanned(totals);
  return {
    statements: Math.max(first.b.statements, last.b.statements),
    kernels: [first, last].map(({ b }, i) => ({
      ...b.finish(groups),
      ...common,
      label: `${label} (${i + 1} of 2)`,
      split: i === 0,
      scratch: totals.buffers,
    })),
  };
}
