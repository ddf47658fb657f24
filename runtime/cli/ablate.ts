/**
 * `weft ablate model.ts`: what each pass, rule and policy is worth for a model, as one table.
 * @module
 */

import { Command, Option } from "commander";
import { openDevice } from "../device.ts";
import { ablate, type Ablation, ablationRows } from "../lab/ablate.ts";
import { printPlans } from "../lab/print_plans.ts";
import { writeWhole } from "../write_whole.ts";
import { loadModel, sizesFrom } from "./load_model.ts";
import { checkFolderOf, exportOption, positive, sizeOption, whole } from "./options.ts";
import { stepsBar } from "./progress_bar.ts";
import { stopOnSignal } from "./stop_on_signal.ts";
import { targetOption, targets } from "./targets.ts";
import { UsageError } from "./usage_error.ts";

interface AblateFlags {
  readonly export?: string;
  readonly size: readonly string[];
  readonly device: "auto" | "webgpu" | "cpu" | "none";
  readonly target?: keyof typeof targets;
  readonly rounds?: number;
  readonly seconds?: number;
  readonly memory: number;
  readonly only: readonly string[];
  readonly json?: string;
}

export function ablateCommand(): Command {
  return new Command("ablate")
    .description(
      "Compiles a model without each pass and by each policy: dispatches, bytes, memory, and times in turns.",
    )
    .argument("<file>", "a file that exports a model, as model(…) and trainStep(…) make it")
    .addOption(exportOption())
    .addOption(sizeOption())
    .addOption(
      new Option("--device <kind>", "what computes; none: only what is known before a run")
        .choices(["auto", "webgpu", "cpu", "none"]).default("auto"),
    )
    .addOption(targetOption())
    .option("--rounds <number>", "rounds in which all plans take a turn, at most", whole)
    .option(
      "--seconds <number>",
      "what timing takes: rounds until it is over (default: 15 rounds, 120 s at most)",
      positive,
    )
    .option("--memory <MiB>", "plans that are loaded at once", positive, 2048)
    .option(
      "--only <row>",
      'a row of the table, such as "policy none"; once for each',
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option("--json <file>", "where the numbers go, too")
    .action(ablateModel);
}

async function ablateModel(file: string, flags: AblateFlags): Promise<void> {
  checkFolderOf(flags.json);
  const { device: kind, target, rounds, seconds, memory, only, json } = flags;
  if (kind !== "none" && target !== undefined) {
    throw new UsageError(`--target ${target} is timed on no device; say --device none with it.`);
  }
  const loaded = await loadModel(file, flags.export);
  const sizes = sizesFrom(flags.size, loaded);
  using device = kind === "none" ? undefined : await openDevice({ device: kind });
  const compiledFor = device?.target ?? targets[target ?? "gpu"];
  const rows = only.length > 0 ? ablationRows(loaded.model, compiledFor, sizes) : only;
  const unknown = only.find((name) => !rows.includes(name));
  if (unknown !== undefined) {
    const there = rows.map((name) => `"${name}"`).join(", ");
    throw new UsageError(`--only ${unknown}: there is no such row; there are ${there}.`);
  }
  using stop = stopOnSignal();
  let found: Ablation;
  {
    using bar = stepsBar("steps");
    found = await ablate(loaded.model, {
      ...device ? { device } : { target: targets[target ?? "gpu"] },
      sizes,
      seconds: seconds ?? 120,
      ...seconds === undefined ? { rounds: rounds ?? 15 } : rounds !== undefined && { rounds },
      memory: memory * 2 ** 20,
      ...only.length > 0 && { only },
      signal: stop.signal,
      onProgress: bar.show,
    });
  }
  console.log(printPlans(found));
  for (const note of found.notes) console.log(note);
  if (json !== undefined) {
    await writeWhole(json, `${JSON.stringify({ model: loaded.name, sizes, ...found }, null, 1)}\n`);
    console.log(`${json} has the same as data`);
  }
  if (!stop.signal.aborted) return;
  console.log("Interrupted; the rounds that were complete count.");
  Deno.exitCode = 130;
}
