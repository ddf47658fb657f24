/**
 * What a program runs, in numbers: dispatches, shaders, copies and memory.
 * @module
 */

import { type Compiled, compileGraph } from "../../compiler/compile.ts";
import type { Target } from "../../compiler/target.ts";
import type { CountedProgram } from "./programs.ts";

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
