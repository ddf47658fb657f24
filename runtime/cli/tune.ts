/**
 * `weft tune model.ts`: tunes the kernels of a model for this machine, for all later `compile(…, { tune: true })`.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { Command } from "commander";
import { compileGraph } from "../../compiler/compile.ts";
import { printPatch } from "../../compiler/schedule/tuning.ts";
import { openDevice } from "../device.ts";
import { clockText } from "../clock_text.ts";
import { table } from "../table.ts";
import { tuneProgram, type TuneReport } from "../tune/tune.ts";
import { loadModel, sizesFrom } from "./load_model.ts";
import { deviceOption, exportOption, positive, sizeOption } from "./options.ts";
import { stepsBar } from "./progress_bar.ts";
import { stopOnSignal } from "./stop_on_signal.ts";

interface TuneFlags {
  readonly export?: string;
  readonly size: readonly string[];
  readonly seconds: number;
  readonly device: "auto" | "webgpu" | "cpu";
}

export function tuneCommand(): Command {
  return new Command("tune")
    .description(
      "Tries other tiles for the kernels of a model, and remembers what is faster on this machine.",
    )
    .argument("<file>", "a file that exports a model, as model(…) and trainStep(…) make it")
    .addOption(exportOption())
    .addOption(sizeOption())
    .option("--seconds <number>", "what tuning may take", positive, 60)
    .addOption(deviceOption())
    .action(tune);
}

async function tune(file: string, { export: name, size, seconds, device: kind }: TuneFlags): Promise<void> {
  const loaded = await loadModel(file, name);
  const sizes = sizesFrom(size, loaded);
  using device = await openDevice({ device: kind });
  const compiled = compileGraph(loaded.model.graph, { target: device.target, sizes });
  console.log(
    `${loaded.name} on ${device.name}: ${
      counted(compiled.kernels.length, "kernel")
    }, ${seconds} s at most; ` +
      `each is timed alone, on made-up numbers, ${clockText[device.engine.clock]}`,
  );
  using stop = stopOnSignal();
  const warnings: string[] = [];
  let report: TuneReport;
  {
    using bar = stepsBar("kernels");
    report = await tuneProgram(compiled, device, {
      seconds,
      signal: stop.signal,
      onProgress: bar.show,
      warn: (sentence) => warnings.push(sentence),
    });
  }
  for (const sentence of warnings) console.warn(sentence);
  console.log(reportText(report));
  if (stop.signal.aborted) {
    console.log("Interrupted; what was found is kept.");
    Deno.exitCode = 130;
  }
}

/** One row per kernel, the most expensive first. */
function reportText({ units, untouched }: TuneReport): string {
  const rows = units.map(({ key, label, count, defaultMs, tunedMs, patch, from }) => [
    key.slice(0, 8),
    defaultMs.toFixed(3),
    tunedMs.toFixed(3),
    (tunedMs / defaultMs).toFixed(2),
    from,
    `${label}${count > 1 ? ` (${count}×)` : ""}`,
    printPatch(patch ?? {}),
  ]);
  const before = units.reduce((sum, unit) => sum + unit.count * unit.defaultMs, 0);
  const after = units.reduce((sum, unit) => sum + unit.count * unit.tunedMs, 0);
  return [
    ...table([["kernel", "default ms", "tuned ms", "ratio", "from", "ops", "numbers"], ...rows]),
    ...untouched.map((sentence) => `left alone: ${sentence}`),
    units.length === 0
      ? "No kernel was tuned."
      : `${before.toFixed(3)} ms by default, ${after.toFixed(3)} ms tuned, in ${
        counted(units.length, "kernel", "different kernels")
      }`,
  ].join("\n");
}
