/**
 * What a compile made, as text: the kernels in the order they run, what memory they take, and what it cost to share.
 * @module
 */

import { counted } from "../compiler/counted.ts";
import type { Compiled } from "../compiler/compile.ts";
import { printPatch } from "../compiler/schedule/tuning.ts";
import type { Arena } from "../compiler/program/program.ts";
import { table } from "./table.ts";
import { showBytes } from "./show_bytes.ts";

/**
 * One line per dispatch, with totals.
 *
 * @param rewrites What became of the model before it was compiled, one sentence each.
 */
export function reportText(
  name: string,
  { program, kernels, placement, units }: Compiled,
  rewrites: readonly string[] = [],
): string {
  const dispatches = program.steps.flatMap((step) => step.kind === "dispatch" ? [step.dispatch] : []);
  const split = dispatches.filter((dispatch) => dispatch.split).length;
  const lines = [
    `${name}: ${counted(dispatches.length, "dispatch")} of ${counted(program.kernels.length, "kernel")}, ` +
    `${split} of them to split a reduction, ${counted(placement.copies.length, "copy", "copies")}`,
  ];
  const rows = dispatches.map(({ kernel, groups, label }, i) => [
    String(i),
    `k${kernel}`,
    kernels[i]?.schedule ?? "",
    String(groups),
    label,
  ]);
  lines.push(...table([["#", "kernel", "schedule", "groups", "what"], ...rows]));
  lines.push(...tunedLines(units, kernels.length));
  lines.push(...rewrites);
  for (const { to, because } of placement.copies) lines.push(`copied at the end: ${to}, since ${because}`);
  for (const role of ["state", "input", "output", "constant"] as const) {
    lines.push(`${role}: ${showBytes(bytesOf(program.arenas, role))}`);
  }
  const { peak, bound } = program.memory;
  lines.push(`temporary: ${showBytes(peak)}, of which ${showBytes(bound)} live at once`);
  return lines.join("\n");
}

/** How many kernels are not the target's own, and the numbers of each that is different from the others. */
function tunedLines(units: Compiled["units"], kernels: number): string[] {
  const tuned = units.filter(({ patch }) => patch !== undefined);
  if (tuned.length === 0) return [];
  const own = tuned.reduce((n, unit) => n + unit.kernels.length, 0);
  const different = new Map(tuned.map(({ key, label, patch }) => [key, `  ${label}: ${printPatch(patch!)}`]));
  return [`tuned: ${own} of ${counted(kernels, "kernel")}`, ...different.values()];
}

const bytesOf = (arenas: readonly Arena[], role: Arena["role"]): number =>
  arenas.reduce((sum, arena) => arena.role === role ? sum + arena.bytes : sum, 0);
