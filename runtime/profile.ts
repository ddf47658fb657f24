/**
 * Where the time of a run goes: one row per dispatch.
 * @module
 */

import { counted } from "../compiler/counted.ts";
import type { Program } from "../compiler/program/program.ts";

/** What one kernel took, over several runs. */
export interface ProfileRow {
  /** What the dispatch computes: scope and ops. */
  readonly label: string;
  /** Index of its kernel in the program; rows with the same one share a shader. */
  readonly kernel: number;
  /** Workgroups. */
  readonly groups: number;
  readonly ms: number;
}

/** Rows from the times of a program's dispatches; those without workgroups are not run and have none. */
export function profileRows(program: Program, times: readonly number[]): readonly ProfileRow[] {
  const ran = program.steps.flatMap((step) =>
    step.kind === "dispatch" && step.dispatch.groups > 0 ? [step.dispatch] : []
  );
  return ran.map(({ label, kernel, groups }, i) => ({ label, kernel, groups, ms: times[i]! }));
}

/**
 * The rows as a table of text, the slowest first, with dispatches of one kernel under one label added up.
 *
 * @example
 * ```ts
 * import { printProfile } from "./profile.ts";
 *
 * console.log(printProfile([{ label: "matmul", kernel: 0, groups: 64, ms: 1.5 }]));
 * ```
 */
export function printProfile(rows: readonly ProfileRow[], limit = 40): string {
  const total = rows.reduce((sum, { ms }) => sum + ms, 0);
  const lines = new Map<
    string,
    { label: string; kernel: number; groups: number; ms: number; count: number }
  >();
  for (const { label, kernel, groups, ms } of rows) {
    const key = `${kernel} ${groups} ${label}`;
    const line = lines.get(key) ?? { label, kernel, groups, ms: 0, count: 0 };
    line.ms += ms;
    line.count++;
    lines.set(key, line);
  }
  const sorted = [...lines.values()].sort((a, b) => b.ms - a.ms);
  const shown = sorted.slice(0, limit).map(({ label, kernel, groups, ms, count }) => {
    const share = total > 0 ? 100 * ms / total : 0;
    return [ms.toFixed(3), `${share.toFixed(1)} %`, `${count}×`, `k${kernel}`, String(groups), label];
  });
  const table = [["ms", "share", "runs", "kernel", "groups", "what"], ...shown];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((row) => row[column]!.length)));
  const text = table.map((row) =>
    row.map((cell, column) => column < 5 ? cell.padStart(widths[column]!) : cell).join("  ")
  );
  if (sorted.length > limit) text.push(`… and ${sorted.length - limit} more`);
  text.push(`${total.toFixed(3)} ms in ${counted(rows.length, "dispatch")}`);
  return text.join("\n");
}
