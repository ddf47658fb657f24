/**
 * `weft costmodel model.ts`: what the compiler's cost models expect of each kernel, beside what was measured;
 * and `weft costmodel --fit data.jsonl`: the numbers that would have fitted better.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { Command } from "commander";
import { compileGraph } from "../../compiler/compile.ts";
import { policies, type PolicyName } from "../../compiler/fuse/policies.ts";
import { isTunable } from "../../compiler/schedule/candidates.ts";
import { openDevice } from "../device.ts";
import { type CandidateRegret, candidateRegret } from "../lab/candidate_regret.ts";
import { type CostRecord, costRecords, printRecords } from "../lab/cost_record.ts";
import { fitCostModel } from "../lab/fit_cost_model.ts";
import { printAgreement, printConstants, printRecordTable, printRegrets } from "../lab/print_cost.ts";
import { profileProgram } from "../lab/profile_program.ts";
import { readRecords } from "../lab/read_records.ts";
import { writeWhole } from "../write_whole.ts";
import { given } from "./given.ts";
import { loadModel, sizesFrom } from "./load_model.ts";
import {
  checkFolderOf,
  count,
  deviceOption,
  exportOption,
  policyOption,
  sizeOption,
  whole,
} from "./options.ts";
import { progressBar } from "./progress_bar.ts";
import { stopOnSignal } from "./stop_on_signal.ts";
import { UsageError } from "./usage_error.ts";

interface CostFlags {
  readonly export?: string;
  readonly size: readonly string[];
  readonly policy: PolicyName;
  readonly device: "auto" | "webgpu" | "cpu";
  readonly rounds: number;
  readonly candidates: number;
  readonly out?: string;
  readonly fit?: readonly string[];
  readonly json?: boolean;
}

export function costmodelCommand(): Command {
  return new Command("costmodel")
    .description("Compares what the compiler's cost models expect of a model's kernels with what they take.")
    .argument("[file]", "a file that exports a model; none with --fit")
    .addOption(exportOption())
    .addOption(sizeOption())
    .addOption(policyOption())
    .addOption(deviceOption())
    .option("--rounds <number>", "runs in which every dispatch is timed", whole, 10)
    .option(
      "--candidates <number>",
      "kernels, the slowest first, whose candidates for tuning are timed too",
      count,
      3,
    )
    .option("--out <file>", "a dataset of what was measured, one JSON object a line")
    .option("--fit <files...>", "fit the fusion's model to datasets, and run nothing")
    .option("--json", "as data")
    .action(costmodel);
}

async function costmodel(file: string | undefined, flags: CostFlags): Promise<void> {
  if (flags.fit !== undefined) {
    if (file !== undefined) {
      throw new UsageError(
        `costmodel: either a model's file, to measure it, or --fit; "${file}" is one too many.`,
      );
    }
    return await fit(flags.fit, flags);
  }
  if (file === undefined) {
    throw new UsageError("costmodel: name a model's file to measure, or a dataset with --fit data.jsonl.");
  }
  checkFolderOf(flags.out);
  const loaded = await loadModel(file, flags.export);
  const sizes = sizesFrom(flags.size, loaded);
  using device = await openDevice({ device: flags.device });
  using stop = stopOnSignal();
  const { signal } = stop;
  const policy = policies[flags.policy];
  const compiled = compileGraph(loaded.model.graph, { target: device.target, sizes, policy });
  using bar = progressBar();
  const profile = await profileProgram(compiled, device, {
    name: loaded.name,
    rounds: flags.rounds,
    signal,
    onProgress: (part, what) => bar.show(part / 2, what),
  });
  const records = costRecords(compiled, profile, device);
  const units = new Map(compiled.units.map((unit) => [unit.key, unit]));
  const slowest = records.toSorted((a, b) => b.count * b.measuredMs - a.count * a.measuredMs)
    .map(({ key }) => units.get(key)!)
    .filter(({ kernels }) => isTunable(new Set(kernels.map(({ schedule }) => schedule))))
    .slice(0, flags.candidates);
  const regrets: CandidateRegret[] = [];
  for (const [i, unit] of slowest.entries()) {
    if (signal.aborted) break;
    bar.show(0.5 + i / slowest.length / 2, `timing the candidates of ${unit.label}`);
    const regret = await candidateRegret(unit, compiled, device, signal);
    if (regret) regrets.push(regret);
  }
  if (flags.out !== undefined) await writeWhole(flags.out, printRecords(records));
  if (flags.json) console.log(JSON.stringify({ records, candidates: regrets }, null, 1));
  else {
    console.log([
      `${loaded.name} on ${device.name}, ${compiled.policy}: ${
        counted(records.length, "kernel", "different kernels")
      }`,
      printRecordTable(records),
      "",
      `by ${printConstants(compiled.cost)}; pairs 1.05 to 4 times apart:`,
      printAgreement(records),
      ...regrets.length > 0 ? ["", "candidates for tuning, and the favorite of the loops' model:"] : [],
      ...regrets.length > 0 ? [printRegrets(regrets)] : [],
    ].join("\n"));
  }
  if (signal.aborted) {
    console.error("Interrupted; what was measured until then is what is shown.");
    Deno.exitCode = 130;
  }
}

async function fit(paths: readonly string[], { json }: CostFlags): Promise<void> {
  const records: CostRecord[] = [];
  for (const path of paths) records.push(...await given("--fit", () => readRecords(path)));
  const base = records[0]?.cost;
  if (base === undefined) throw new UsageError(`costmodel: there is no record in ${paths.join(", ")}.`);
  const { cost, error, warnings } = await given("--fit", () => fitCostModel(records));
  if (json) return console.log(JSON.stringify({ cost, error, records: records.length, warnings }, null, 1));
  console.log([
    `${counted(records.length, "record")} of ${records[0]!.device}`,
    printConstants(base),
    printAgreement(records, base),
    "",
    `${printConstants(cost)}; relative error ${error.toFixed(2)}`,
    printAgreement(records, cost),
    ...warnings.map((sentence) => `warning: ${sentence}`),
    "",
    `as an argument: compile(model, { device, cost: ${JSON.stringify(cost)} })`,
  ].join("\n"));
}
