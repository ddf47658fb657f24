/**
 * What a program runs, kernel by kernel: the training steps of the MLP and the GPT, what ought to be one kernel, and the
 * memory of every example's program.
 *
 *     deno run -A tests/bench/dispatches.ts [--json]
 *
 * Compiled for the software target without split sums, at WebGPU's default limits.
 * @module
 */

import { type Compiled, compileGraph } from "../../compiler/compile.ts";
import { counted } from "../../compiler/counted.ts";
import { softwareTarget, type Target } from "../../compiler/target.ts";
import { showBytes } from "../../runtime/show_bytes.ts";
import { type CountedProgram, examplePrograms, gptStep, mlpStep, oneKernelEach } from "./programs.ts";

/** Reductions and products are split over workgroups for speed, not for what they are: here they are not. */
export const unsplit = (target: Target): Target => ({
  ...target,
  contraction: { ...target.contraction, partSteps: 0 },
  row: { ...target.row, perChunk: 1 << 30 },
});

export const compileFor = ({ graph, sizes }: CountedProgram, target: Target): Compiled =>
  compileGraph(graph(), { target, sizes });

/** The counts that bars are set for; bytes of temporaries at their peak, beside the lower bound for the order used. */
export interface ProgramCounts {
  readonly dispatches: number;
  readonly fromSplitting: number;
  readonly shaders: number;
  readonly copies: number;
  readonly temporaries: number;
  readonly bound: number;
}

export function countsOf({ program, kernels }: Compiled): ProgramCounts {
  return {
    dispatches: kernels.length,
    fromSplitting: kernels.filter((k) => k.split).length,
    shaders: program.kernels.length,
    copies: program.steps.filter((s) => s.kind === "copy").length,
    temporaries: program.memory.peak,
    bound: program.memory.bound,
  };
}

const countsText = (
  { dispatches, fromSplitting, shaders, copies, temporaries, bound }: ProgramCounts,
): string =>
  [
    `${counted(dispatches, "dispatch")} of ${counted(shaders, "shader")}`,
    ...fromSplitting > 0 ? [`${fromSplitting} of them to split a reduction`] : [],
    ...copies > 0 ? [counted(copies, "copy", "copies")] : [],
    `${showBytes(temporaries)} of temporaries, and this order needs ${showBytes(bound)} at least`,
  ].join(", ");

/** Every kernel of a program, in order. */
function listOf({ kernels }: Compiled): string {
  return kernels.map(({ schedule, groups, label }, i) =>
    `${String(i + 1).padStart(4)}  ${schedule.padEnd(12)} ${String(groups).padStart(6)}  ${label}`
  ).join("\n");
}

if (import.meta.main) {
  const target = unsplit(softwareTarget);
  const json = Deno.args.includes("--json");
  for (const program of [mlpStep, gptStep, ...oneKernelEach, ...examplePrograms]) {
    const compiled = compileFor(program, target);
    const counts = countsOf(compiled);
    if (json) {
      console.log(JSON.stringify({ name: program.name, ...counts }));
      continue;
    }
    if (program === mlpStep || program === gptStep) console.log(`${program.name}\n${listOf(compiled)}`);
    console.log(`${program.name}: ${countsText(counts)}`);
  }
}
