/**
 * What a program runs, kernel by kernel: the training steps of the MLP and the GPT, what ought to be one kernel, and the
 * memory of every example's program.
 *
 *     deno run -A tests/bench/dispatches.ts [--json]
 *
 * Compiled for the software target without split sums, at WebGPU's default limits.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { counted } from "../../compiler/counted.ts";
import { showBytes } from "../../runtime/show_bytes.ts";
import { benchmark, runBenchmark } from "./command.ts";
import type { ProgramCounts } from "./program_counts.ts";

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

async function show({ json }: { readonly json: boolean }): Promise<void> {
  const { softwareTarget } = await import("../../compiler/target.ts");
  const { compileFor, countsOf, unsplit } = await import("./program_counts.ts");
  const { examplePrograms, gptStep, mlpStep, oneKernelEach } = await import("./programs.ts");
  const target = unsplit(softwareTarget);
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

if (import.meta.main) {
  await runBenchmark(
    benchmark({
      call: "deno run -A tests/bench/dispatches.ts",
      measures:
        "Lists the kernels of two training steps, and counts kernels and memory of those and of every example.",
      takes: "ten seconds; it needs no device.",
    }).action(show),
  );
}
