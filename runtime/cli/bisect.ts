/**
 * `weft bisect model.ts`: the first node at which the device departs from the references, as a small file that shows it.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { Command } from "commander";
import { policies, type PolicyName } from "../../compiler/fuse/policies.ts";
import { openDevice } from "../device.ts";
import { bisect, type Bisection } from "../lab/bisect.ts";
import { inputOption, inputsFrom } from "./given_data.ts";
import { loadModel, sizesFrom } from "./load_model.ts";
import {
  checkFolderOf,
  deviceOption,
  exportOption,
  policyOption,
  positive,
  seedOption,
  sizeOption,
  weftOption,
} from "./options.ts";
import { progressBar } from "./progress_bar.ts";
import { stopOnSignal } from "./stop_on_signal.ts";
import { writeWhole } from "../write_whole.ts";

interface BisectFlags {
  readonly export?: string;
  readonly size: readonly string[];
  readonly input: readonly string[];
  readonly policy: PolicyName;
  readonly seed: number;
  readonly device: "auto" | "webgpu" | "cpu";
  readonly seconds: number;
  readonly out: string;
  readonly weft?: string;
}

export function bisectCommand(): Command {
  return new Command("bisect")
    .description(
      "Finds the first op whose value departs from its reference, and writes a small file that shows it.",
    )
    .argument("<file>", "a file that exports a model, as model(…) and trainStep(…) make it")
    .addOption(exportOption())
    .addOption(sizeOption())
    .addOption(inputOption())
    .addOption(policyOption())
    .addOption(seedOption())
    .addOption(deviceOption())
    .option("--seconds <number>", "what shrinking may take", positive, 30)
    .option("--out <file>", "where the reproduction goes", "repro.ts")
    .addOption(weftOption())
    .action(run);
}

async function run(file: string, flags: BisectFlags): Promise<void> {
  checkFolderOf(flags.out);
  const loaded = await loadModel(file, flags.export);
  const sizes = sizesFrom(flags.size, loaded);
  const feeds = await inputsFrom(flags.input, loaded, sizes);
  using device = await openDevice({ device: flags.device });
  using stop = stopOnSignal();
  let found: Bisection;
  try {
    using bar = progressBar();
    found = await bisect(loaded.model, {
      device,
      sizes,
      feeds,
      seed: flags.seed,
      policy: policies[flags.policy],
      seconds: flags.seconds,
      ...flags.weft !== undefined && { weft: flags.weft },
      onProgress: bar.show,
      signal: stop.signal,
    });
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    console.log("Interrupted.");
    Deno.exitCode = 130;
    return;
  }
  const { checks, finding } = found;
  const { kernels, results, dropped, unjudged, worst } = checks;
  for (const sentence of unjudged) console.log(`not judged: ${sentence}`);
  const undecided = dropped === 0 ? "" : ` (of ${dropped} more nothing can be said: rounding decides)`;
  if (finding === undefined) {
    console.log(
      `${loaded.name}, ${flags.policy} on ${device.name}: nothing departs. ${counted(results, "result")} of ${
        counted(kernels, "kernel")
      }${undecided} ` +
        "are what their ops' references say, each from what the device had as its operands; no pass changed the meaning, and " +
        "sharing memory changes nothing.",
    );
    if (worst) {
      console.log(
        `The largest error is ${worst.part.toPrecision(2)} of what is allowed: the kernel "${worst.label}".`,
      );
    }
    return;
  }
  Deno.exitCode = 1;
  console.log(`${finding.message} ${counted(results, "result")} before it agreed${undecided}.`);
  const { reproduction } = finding;
  if (reproduction === undefined) {
    console.log("There is no file: it does not fail by itself, or can't be written down.");
    return;
  }
  await writeWhole(flags.out, reproduction.text);
  const smallest = reproduction.minimal ? "nothing simpler fails" : "the time for shrinking was over";
  console.log(
    `${flags.out}: ${
      counted(reproduction.nodes, "node")
    }, inputs among them; ${smallest}. deno run -A ${flags.out}`,
  );
}
