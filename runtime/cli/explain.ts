/**
 * `weft explain model.ts`: why ops share a kernel, or why they don't, for every pair of neighbors or for two by name.
 * @module
 */

import { Command, Option } from "commander";
import { compileGraph } from "../../compiler/compile.ts";
import { explain } from "../../compiler/explain/explain.ts";
import { printExplanations, summaryOf } from "../../compiler/explain/print.ts";
import { policies, type PolicyName } from "../../compiler/fuse/policies.ts";
import type { Target } from "../../compiler/target.ts";
import { openDevice } from "../device.ts";
import { given } from "./given.ts";
import { loadModel, sizesFrom } from "./load_model.ts";
import { deviceOption, exportOption, sizeOption } from "./options.ts";
import { checkTargetAlone, targetOption, targets } from "./targets.ts";

interface ExplainFlags {
  readonly export?: string;
  readonly size: readonly string[];
  readonly policy: PolicyName;
  readonly device: "auto" | "webgpu" | "cpu";
  readonly target?: keyof typeof targets;
  readonly json?: boolean;
}

export function explainCommand(): Command {
  return new Command("explain")
    .description("Says for every pair of neighboring ops whether they share a kernel, and why.")
    .argument("<file>", "a file that exports a model, as model(…) and trainStep(…) make it")
    .argument("[a]", "only pairs with this op: %12, matmul, block0/matmul, or a line such as model.ts:12")
    .argument("[b]", "only pairs of the two")
    .addOption(exportOption())
    .addOption(sizeOption())
    .addOption(
      new Option("--policy <name>", "which policy decides").choices(Object.keys(policies)).default("greedy"),
    )
    .addOption(deviceOption())
    .addOption(targetOption())
    .option("--json", "as data")
    .action(explainModel);
}

async function explainModel(
  file: string,
  a: string | undefined,
  b: string | undefined,
  { export: name, size, policy, device, target: kind, json }: ExplainFlags,
  command: Command,
): Promise<void> {
  checkTargetAlone(command);
  const loaded = await loadModel(file, name);
  const sizes = sizesFrom(size, loaded);
  const target = kind === undefined ? await targetOfDevice(device) : targets[kind];
  const compiled = compileGraph(loaded.model.graph, { target, sizes, policy: policies[policy] });
  const found = await given("", () => explain(compiled, a, b));
  if (json) return console.log(JSON.stringify(found, null, 1));
  if (found.length > 0) console.log(printExplanations(found));
  console.log(`${loaded.name}, ${policy} for ${target.name}: ${summaryOf(found)}`);
}

async function targetOfDevice(kind: ExplainFlags["device"]): Promise<Target> {
  using device = await openDevice({ device: kind });
  return device.target;
}
