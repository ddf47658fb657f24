/**
 * `weft verify model.ts`: one run computed with fusion and without, compared kernel by kernel.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { Command } from "commander";
import { policies, type PolicyName } from "../../compiler/fuse/policies.ts";
import { openDevice } from "../device.ts";
import { verifyModel } from "../lab/verify_model.ts";
import type { Agreement } from "../verify.ts";
import { inputOption, inputsFrom } from "./given_data.ts";
import { loadModel, sizesFrom } from "./load_model.ts";
import { progressBar } from "./progress_bar.ts";
import { deviceOption, exportOption, policyOption, seedOption, sizeOption } from "./options.ts";

interface VerifyFlags {
  readonly export?: string;
  readonly size: readonly string[];
  readonly input: readonly string[];
  readonly policy: PolicyName;
  readonly seed: number;
  readonly device: "auto" | "webgpu" | "cpu";
}

export function verifyCommand(): Command {
  return new Command("verify")
    .description("Runs a model fused and unfused, and names the first kernel and op that differ.")
    .argument("<file>", "a file that exports a model, as model(…) and trainStep(…) make it")
    .addOption(exportOption())
    .addOption(sizeOption())
    .addOption(inputOption())
    .addOption(policyOption())
    .addOption(seedOption())
    .addOption(deviceOption())
    .action(verify);
}

async function verify(file: string, flags: VerifyFlags): Promise<void> {
  const loaded = await loadModel(file, flags.export);
  const sizes = sizesFrom(flags.size, loaded);
  const feeds = await inputsFrom(flags.input, loaded, sizes);
  using device = await openDevice({ device: flags.device });
  const options = { device, sizes, feeds, seed: flags.seed, policy: policies[flags.policy] };
  let found: Agreement;
  {
    using bar = progressBar();
    found = await verifyModel(loaded.model, { ...options, onProgress: bar.show });
  }
  const { results, worst } = found;
  const all = results === 1
    ? "the one result that both store agrees"
    : `all ${counted(results, "result")} that both store agree`;
  console.log(`${loaded.name}, ${flags.policy} against unfused on ${device.name}: ${all}.`);
  if (worst === undefined) return;
  console.log(
    `The farthest apart are ${worst.distance.toPrecision(3)}, where ${
      worst.allowed.toPrecision(3)
    } is allowed: the kernel ` +
      `"${worst.label}", ${worst.result}.`,
  );
}
