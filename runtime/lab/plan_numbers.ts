/**
 * What is known of a plan before it runs.
 * @module
 */

import { createHash } from "node:crypto";
import type { Compiled } from "../../compiler/compile.ts";
import { deviceBytes } from "../../compiler/graph/dtype.ts";
import type { AnyKernel } from "../../compiler/kernel/raw.ts";
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

export function planNumbers({ program, kernels }: Compiled): PlanNumbers {
  const { steps, memory, arenas } = program;
  // As schedules declare them: a program binds more for writing than kernels write.
  let bytes = kernels.reduce((sum, { kernel, groups }) => groups === 0 ? sum : sum + bytesOf(kernel), 0);
  let dispatches = 0;
  for (const step of steps) {
    if (step.kind === "copy") bytes += step.copy.from.bytes + step.copy.to.bytes;
    else if (step.dispatch.groups > 0) dispatches++;
  }
  return {
    dispatches,
    shaders: program.kernels.length,
    bytes,
    peak: memory.peak,
    memory: arenas.reduce((sum, arena) => sum + arena.bytes, 0),
    digest: digestOf(program),
  };
}

/** What a dispatch reads and writes, if it touches all of each buffer, once. */
const bytesOf = ({ buffers }: AnyKernel): number =>
  buffers.reduce((sum, { access, dtype, size }) => {
    return sum + size * deviceBytes(dtype) * (access === "read_write" ? 2 : 1);
  }, 0);

/** A hash of all that a program runs, on which data and where: equal programs take equal times. */
function digestOf(program: Program): string {
  const hash = createHash("sha256").update(printProgram(program));
  for (const kernel of program.kernels) hash.update(`${printKernel(kernel)}\n`);
  return hash.digest("hex");
}
