/**
 * `weft profile model.ts`: where the time of a model goes, kernel by kernel, and how near each is to what the
 * device can do.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { Command } from "commander";
import { policies, type PolicyName } from "../../compiler/fuse/policies.ts";
import { openDevice } from "../device.ts";
import { chromeTrace } from "../lab/chrome_trace.ts";
import { printProgramProfile } from "../lab/print_profile.ts";
import { profileModel, type ProgramProfile } from "../lab/profile_program.ts";
import { writeWhole } from "../write_whole.ts";
import { loadModel, sizesFrom } from "./load_model.ts";
import { checkFolderOf, deviceOption, exportOption, policyOption, sizeOption, whole } from "./options.ts";
import { progressBar } from "./progress_bar.ts";
import { stopOnSignal } from "./stop_on_signal.ts";

interface ProfileFlags {
  readonly export?: string;
  readonly size: readonly string[];
  readonly policy: PolicyName;
  readonly device: "auto" | "webgpu" | "cpu";
  readonly rounds: number;
  readonly json?: boolean;
  readonly trace?: string;
  readonly roofline?: string;
}

export function profileCommand(): Command {
  return new Command("profile")
    .description(
      "Times every kernel of a model, beside what it moves and computes and what the device could do.",
    )
    .argument("<file>", "a file that exports a model, as model(…) and trainStep(…) make it")
    .addOption(exportOption())
    .addOption(sizeOption())
    .addOption(policyOption())
    .addOption(deviceOption())
    .option("--rounds <number>", "runs in which every dispatch is timed", whole, 10)
    .option("--json", "as data")
    .option("--trace <file>", "events for chrome://tracing or Perfetto, as JSON")
    .option("--roofline <file>", "a picture of the kernels under the device's roofs, as SVG")
    .action(profile);
}

async function profile(file: string, flags: ProfileFlags): Promise<void> {
  for (const path of [flags.trace, flags.roofline]) checkFolderOf(path);
  const loaded = await loadModel(file, flags.export);
  const sizes = sizesFrom(flags.size, loaded);
  using device = await openDevice({ device: flags.device });
  using stop = stopOnSignal();
  let found: ProgramProfile;
  {
    using bar = progressBar();
    found = await profileModel(loaded.model, {
      device,
      sizes,
      policy: policies[flags.policy],
      rounds: flags.rounds,
      name: loaded.name,
      signal: stop.signal,
      onProgress: bar.show,
    });
  }
  if (flags.trace !== undefined) {
    await writeWhole(flags.trace, `${JSON.stringify(chromeTrace(found), null, 1)}\n`);
  }
  if (flags.roofline !== undefined) {
    // Drawing takes a large library to load, and nobody else needs it.
    const { rooflineSvg } = await import("../lab/roofline.ts");
    await writeWhole(flags.roofline, await rooflineSvg(found));
  }
  console.log(flags.json ? JSON.stringify(found, null, 1) : printProgramProfile(found));
  if (stop.signal.aborted) {
    console.error(`Interrupted after ${found.rounds} of ${counted(flags.rounds, "round")}.`);
    Deno.exitCode = 130;
  }
}
