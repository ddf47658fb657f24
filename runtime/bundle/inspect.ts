/**
 * A bundle as a table: what each program does, kernel by kernel, and what it needs.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import {
  type BundleProgram,
  isCopy,
  type Manifest,
  type Range,
  type Tolerance,
  type Variant,
} from "../../compiler/bundle/manifest.ts";
import { showShape } from "../../compiler/graph/dim.ts";
import type { CheckedBundle } from "./read.ts";

/** What `weft inspect` prints of a bundle that was checked. */
export function inspectionText({ manifest, test }: CheckedBundle): string {
  const { name, kind, generator, weights, state, kernels, variants, sizes } = manifest;
  const bytes = weights.reduce((sum, { bytes }) => sum + bytes, 0);
  const lines = [
    `${name}: a bundle for ${kind}, made by ${generator}`,
    `${counted(kernels.length, "kernel")}, ${counted(state.length, "state")}, ${
      count(bytes)
    } bytes of weights in ` +
    counted(weights.length, "file"),
    ...manifest.inputs.map((t) => `input   ${t.name}: ${t.dtype} ${showShape(t.shape)}`),
    ...manifest.outputs.map((t) =>
      `output  ${t.name}: ${t.dtype} ${showShape(t.shape)}${
        t.tolerance === undefined ? "" : `, ${within(t.tolerance)}`
      }`
    ),
  ];
  if (test) {
    const compared = (list: typeof test.outputs, what: string) =>
      `${counted(list.reduce((sum, { indices }) => sum + indices.length, 0), "element")} of ${
        counted(list.length, what)
      }`;
    lines.push(
      `The self-test compares ${compared(test.outputs, "output")} ` +
        `and ${test.state.length > 0 ? compared(test.state, "state") : "no state"}, after one run.`,
    );
  } else lines.push("There is no self-test.");
  for (const variant of variants) {
    lines.push("", `For devices with ${needs(variant)}:`);
    variant.programs.forEach((program, p) => lines.push("", ...programLines(manifest, program, sizes[p]!)));
  }
  lines.push("", "Schema, hashes and bounds hold.");
  return lines.join("\n");
}

/** How far an output y of the self-test may be off. */
function within(tolerance: Tolerance | null): string {
  if (tolerance === null) return "which rounding decides";
  const { absolute, relative } = tolerance;
  if (absolute === 0 && relative === 0) return "exact";
  const parts = [...absolute > 0 ? [`${absolute}`] : [], ...relative > 0 ? [`${relative}·|y|`] : []];
  return `y within ${parts.join(" + ")}`;
}

function needs({ features, limits, info }: Variant): string {
  const numbers = Object.entries({ ...info, ...limits }).map(([name, n]) => `${name} ${count(n)}`);
  return [...features, ...numbers].join(", ");
}

function programLines(
  manifest: Manifest,
  program: BundleProgram,
  sizes: Readonly<Record<string, number>>,
): string[] {
  const named = Object.entries(sizes).map(([name, n]) => `${name} = ${n}`).join(", ") || "fixed sizes";
  const total = program.arenas.reduce((sum, { bytes }) => sum + bytes, 0);
  const rows = program.steps.map((step, i): readonly string[] => {
    if (isCopy(step)) {
      return [`${i}`, "copy", "", count(2 * step.from[2]), `${place(step.from)} ${place(step.to)}`, ""];
    }
    const { kernel, grid: [x, y], bindings, label, open } = step;
    const least = open === undefined ? "" : `${Math.min(x, open[0] * Math.ceil(open[1] / open[2]))}–`;
    const groups = y > 1 ? `${x}×${y}` : `${least}${x}`;
    const traffic = bindings.reduce((sum, [, , bytes]) => sum + bytes, 0);
    return [
      `${i}`,
      `k${kernel}`,
      `${groups} of ${manifest.kernels[kernel]!.workgroup.join("×")}`,
      count(traffic),
      bindings.map(place).join(" "),
      label,
    ];
  });
  return [
    `${named}: ${counted(program.steps.length, "step")}, ${
      count(total)
    } bytes of memory, of which temporaries ` +
    `${count(program.memory.peak)} (at least ${count(program.memory.bound)})`,
    ...table([["step", "kernel", "workgroups", "bytes", "arena+offset", "ops"], ...rows]),
  ];
}

const place = ([arena, offset]: Range): string => `${arena}+${offset}`;

const count = (n: number): string => n.toLocaleString("en");

/** Numbers to the right, text to the left; no space at the ends of lines. */
function table(rows: readonly (readonly string[])[]): string[] {
  const longest = 48;
  const short = rows.map((row) =>
    row.map((cell, i) => i === 4 && cell.length > longest ? `${cell.slice(0, longest - 1)}…` : cell)
  );
  const widths = short[0]!.map((_, i) => Math.max(...short.map((row) => row[i]!.length)));
  const isNumber = [true, false, false, true, false, false];
  return short.map((row) =>
    row.map((cell, i) => isNumber[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ")
      .trimEnd()
  );
}
