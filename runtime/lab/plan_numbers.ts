/**
 * What is known of a plan before it runs.
 * @module
 */

import { createHash } from "node:crypto";
import type { Compiled } from "../../compiler/compile.ts";
import { printKernel } from "../../compiler/kernel/print.ts";
import { printProgram } from "../../compiler/program/print.ts";
import type { Program } from "../../compiler/program/program.ts";

/** Counts and bytes of one run. */
export interface PlanNumbers {
  readonly dispatches: number;
  /** Different shaders. */
  readonly shaders: number;
  /** Bytes that dispatches and copies read and write: each tensor once per dispatch and direction, no cache assumed. */
  readonly bytes: number;
  /** Bytes of temporaries at the fullest moment. */
  readonly peak: number;
  /** Bytes of everything: states, inputs, outputs and constants too. */
  readonly memory: number;
  /** Equal for programs that are the same to the last bit. */
  readonly digest: string;
}

export function planNumbers({ program }: Compiled): PlanNumbers {
  const { steps, kernels, memory, arenas } = program;
  let [dispatches, bytes] = [0, 0];
  for (const step of steps) {
    if (step.kind === "copy") {
      bytes += step.copy.from.bytes + step.copy.to.bytes;
      continue;
    }
    const { bindings, groups, kernel } = step.dispatch;
    if (groups === 0) continue;
    dispatches++;
    kernels[kernel]!.buffers.forEach(({ access }, i) =>
      bytes += bindings[i]!.bytes * (access === "read_write" ? 2 : 1)
    );
  }
  return {
    dispatches,
    shaders: kernels.length,
    bytes,
    peak: memory.peak,
    memory: arenas.reduce((sum, arena) => sum + arena.bytes, 0),
    digest: digestOf(program),
  };
}

/** A hash of all that a program runs, on which data and where: equal programs take equal times. */
function digestOf(program: Program): string {
  const hash = createHash("sha256").update(printProgram(program));
  for (const kernel of program.kernels) hash.update(`${printKernel(kernel)}\n`);
  return hash.digest("hex");
}
