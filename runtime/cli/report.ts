/**
 * `weft report model.ts --out report.html`: a page that shows what the compiler made of a model, stage by stage.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { basename } from "node:path";
import { Command, Option } from "commander";
import { policies, type PolicyName } from "../../compiler/fuse/policies.ts";
import { type Device, openDevice } from "../device.ts";
import { reportData, type ReportedCompile } from "../lab/report/report_data.ts";
import { writeWhole } from "../write_whole.ts";
import { type LoadedModel, loadModel, sizesFrom } from "./load_model.ts";
import { checkFolderOf, exportOption, policyOption, sizeOption, whole } from "./options.ts";
import { lines } from "./progress_bar.ts";
import { stopOnSignal } from "./stop_on_signal.ts";
import { checkTargetAlone, targets } from "./targets.ts";
import { UsageError } from "./usage_error.ts";

type TargetName = keyof typeof targets;

interface ReportFlags {
  readonly export?: string;
  readonly size: readonly string[];
  readonly out: string;
  readonly policy: PolicyName;
  readonly device: "auto" | "webgpu" | "cpu" | "none";
  readonly target?: TargetName;
  readonly measure: boolean;
  readonly rounds: number;
  readonly against?: string;
  readonly json?: string;
}

export function reportCommand(): Command {
  return new Command("report")
    .description(
      "Draws what the compiler made of a model: graphs, groups, kernels, memory and times, as one page.",
    )
    .argument("<file>", "a file that exports a model, as model(…) and trainStep(…) make it")
    .addOption(exportOption())
    .addOption(sizeOption())
    .requiredOption("--out <file>", "where the page goes, such as report.html")
    .addOption(policyOption())
    .addOption(
      new Option("--device <kind>", "what it is compiled for, and measured on; none: neither is asked for")
        .choices(["auto", "webgpu", "cpu", "none"]).default("auto"),
    )
    .addOption(
      new Option("--target <kind>", "a kind of processor, instead of this machine's; not measured")
        .choices(Object.keys(targets)),
    )
    .option("--no-measure", "compile for the device, and don't run there")
    .option("--rounds <number>", "runs in which every dispatch is timed", whole, 10)
    .option(
      "--against <what>",
      "a second compile beside it: another policy, a target, or a size such as batch=16",
    )
    .option("--json <file>", "the same as data")
    .action(report);
}

async function report(file: string, flags: ReportFlags, command: Command): Promise<void> {
  checkTargetAlone(command);
  for (const path of [flags.out, flags.json]) checkFolderOf(path);
  const loaded = await loadModel(file, flags.export);
  const choice: Choice = {
    policy: flags.policy,
    size: flags.size,
    ...flags.target && { target: flags.target },
  };
  const choices = [choice, ...flags.against === undefined ? [] : [other(choice, flags.against, loaded)]];
  const sizes = choices.map(({ size }) => sizesFrom(size, loaded));
  // Some compile for this machine's device unless all say a kind.
  const needsDevice = flags.device !== "none" && choices.some(({ target }) => target === undefined);
  using device = needsDevice
    ? await openDevice({ device: flags.device as "auto" | "webgpu" | "cpu" })
    : undefined;
  using stop = stopOnSignal();
  const compiles = choices.map((choice, i) => compileOf(choice, sizes[i]!, device, flags));
  const name = `${loaded.name} of ${basename(file)}`;
  const say = lines();
  const data = await reportData(name, loaded.model, compiles as [ReportedCompile], {
    rounds: flags.rounds,
    signal: stop.signal,
    onProgress: say,
  });
  // Putting a page together takes a compiler and a minifier to load, and nobody else needs them.
  const { reportPage } = await import("../lab/report/report_page.ts");
  const page = await reportPage(data);
  await writeWhole(flags.out, page);
  if (flags.json !== undefined) await writeWhole(flags.json, `${JSON.stringify(data)}\n`);
  const [one] = data.compiles;
  console.log(
    `${flags.out}: ${name}, ${counted(one!.dispatches.length, "dispatch")}, ${
      (page.length / 1e6).toFixed(1)
    } MB` +
      (one!.unmeasured === undefined ? "" : `; no times: ${one!.unmeasured}`),
  );
  if (stop.signal.aborted) {
    console.error("Interrupted; what was measured until then is in it.");
    Deno.exitCode = 130;
  }
}

interface Choice {
  readonly policy: PolicyName;
  readonly size: readonly string[];
  readonly target?: TargetName;
}

/** What `--against` makes of a choice. */
function other(choice: Choice, against: string, { name, model }: LoadedModel): Choice {
  if (Object.hasOwn(policies, against)) return { ...choice, policy: against as PolicyName };
  if (Object.hasOwn(targets, against)) return { ...choice, target: against as TargetName };
  const [, size] = /^(\w+)=/.exec(against) ?? [];
  if (size !== undefined) {
    const rest = choice.size.filter((text) => !text.startsWith(`${size}=`));
    sizesFrom([...rest, against], { name, model });
    return { ...choice, size: [...rest, against] };
  }
  throw new UsageError(
    `--against ${against}: it is no policy (${Object.keys(policies).join(", ")}), no target (${
      Object.keys(targets).join(", ")
    }) and no size such as batch=16.`,
  );
}

function compileOf(
  { policy, target: kind, size }: Choice,
  sizes: ReturnType<typeof sizesFrom>,
  device: Device | undefined,
  flags: ReportFlags,
): ReportedCompile {
  const target = kind !== undefined ? targets[kind] : device?.target ?? targets.gpu;
  const measure = kind !== undefined
    ? "it was compiled for a kind of processor, and not for a device."
    : device === undefined
    ? "no device was asked for (--device none)."
    : !flags.measure
    ? "it was not to be measured (--no-measure)."
    : device;
  const where = kind ?? device?.name ?? target.name;
  return {
    name: [`${policy} for ${where}`, ...size].join(", "),
    target,
    sizes,
    policy: policies[policy],
    measure,
  };
}
