/**
 * A profile as text: the roofs, a line for each kernel, the slowest first, and what it all comes to.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { table } from "../table.ts";
import { clockText } from "../clock_text.ts";
import type { KernelProfile, ProgramProfile } from "./profile_program.ts";
import { showBytes } from "../show_bytes.ts";

/** Dispatches of one kernel together, such as those of equal layers; the first one's label is shown. */
interface Line {
  readonly kernels: readonly KernelProfile[];
  readonly ms: number;
}

/** The profile as lines of text; of the kernels, the `limit` slowest. */
export function printProgramProfile(profile: ProgramProfile, limit = 40): string {
  const { name, device, policy, rounds, clock, peaks, kernels, totals } = profile;
  const same = Map.groupBy(kernels, ({ kernel, groups }) => `${kernel} ${groups}`);
  const lines = [...same.values()]
    .map((list): Line => ({ kernels: list, ms: list.reduce((sum, { ms }) => sum + ms, 0) }))
    .sort((a, b) => b.ms - a.ms);
  const bandwidths = peaks.bandwidth.map(({ bytes, gbPerS }) =>
    `${fixed(gbPerS)} GB/s of ${showBytes(bytes)}`
  );
  const text = [
    `${name} on ${device.name}, ${policy}, the median of ${
      counted(rounds, "round")
    }; each dispatch is timed alone, ` +
    clockText[clock],
    `roofs: copies ${bandwidths.join(", ")}; ${fixed(peaks.gflops)} GFLOP/s; ${
      (1000 * peaks.dispatchMs).toFixed(1)
    } µs for a dispatch of nothing, ${(1000 * peaks.launchMs).toFixed(1)} µs more for one in a pass`,
    ...table([
      ["ms", "share", "runs", "bytes", "GB/s", "GFLOP/s", "of roof", "binds", "schedule", "what"],
      ...lines.slice(0, limit).map((line) => row(line, totals.ms)),
    ]),
  ];
  if (lines.length > limit) text.push(`… and ${lines.length - limit} more`);
  const { boundBy } = totals;
  const bound = Object.entries(boundBy).filter(([, part]) => part > 0).sort(([, a], [, b]) => b - a)
    .map(([roof, part]) => `${percent(part)} ${roof}`);
  text.push(
    `${totals.ms.toFixed(3)} ms in ${counted(totals.dispatches, "dispatch")}, one by one; a whole run takes ${
      totals.runMs.toFixed(3)
    } ms by the host's clock: runs in a row, feeding included, the wait for the last taken off`,
    `they move ${showBytes(totals.reads + totals.writes)} at least (${
      showBytes(totals.loads + totals.stores)
    } as accessed) and do ${showCount(totals.flops)} floating-point operations and ${
      showCount(totals.functions)
    } functions`,
    `at their roofs they would take ${totals.roofMs.toFixed(3)} ms; bound by: ${bound.join(", ")}`,
  );
  const above = lines.filter(({ kernels, ms }) => ms > 0 && roofMsOf(kernels) > OVER * ms).length;
  if (above > 0) {
    text.push(
      `${
        above === 1 ? "One kernel is" : `${above} kernels are`
      } above the roof: what a kernel reads may lie in a cache ` +
        "that whoever wrote it has just filled, where the roof's copies found less, and times below some µs are rough.",
    );
  }
  if (kernels.some(({ work }) => work === null)) {
    text.push("What kernels in WGSL of your own do is not known: no bytes, no operations, no roof.");
  }
  if (kernels.some(({ work }) => work?.exact === false)) {
    text.push("~: counts depend on data or on very many workgroups, and are estimates.");
  }
  return text.join("\n");
}

function row({ kernels, ms }: Line, total: number): string[] {
  const [{ work, roof, schedule, label, lines }] = kernels as [KernelProfile];
  const share = total > 0 ? ms / total : 0;
  const seconds = Math.max(ms, 1e-6) / 1e3;
  const sum = (of: (kernel: KernelProfile) => number) => kernels.reduce((n, kernel) => n + of(kernel), 0);
  const bytes = sum((kernel) => (kernel.work?.reads ?? 0) + (kernel.work?.writes ?? 0));
  const about = work?.exact === false ? "~" : "";
  const measured = work && roof
    ? [
      `${about}${showBytes(bytes)}`,
      fixed(bytes / seconds / 1e9),
      fixed(sum((kernel) => kernel.work?.flops ?? 0) / seconds / 1e9),
      percent(roofMsOf(kernels) / (seconds * 1e3)),
      roof.binds,
    ]
    : ["", "", "", "", "unknown"];
  const where = lines.length === 0 ? "" : `  ${lines[0]}${lines.length > 1 ? ` +${lines.length - 1}` : ""}`;
  return [ms.toFixed(3), percent(share), `${kernels.length}×`, ...measured, schedule, `${label}${where}`];
}

/** A part of the roof that no noise of a clock explains. */
const OVER = 1.02;

const roofMsOf = (kernels: readonly KernelProfile[]): number =>
  kernels.reduce((sum, { roof }) => sum + (roof?.roofMs ?? 0), 0);

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

const fixed = (x: number): string => x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2);

const showCount = (n: number): string =>
  n >= 1e9 ? `${fixed(n / 1e9)}·10⁹` : n >= 1e6 ? `${fixed(n / 1e6)}·10⁶` : String(Math.round(n));
