/**
 * `weft fuzz`: random graphs, fused by every policy and for several limits, against the references of their ops.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { policies, type PolicyName } from "../../compiler/fuse/policies.ts";
import type { Target } from "../../compiler/target.ts";
import { type Device, openDevice } from "../device.ts";
import { fuzz, type FuzzFailure, type FuzzOptions, type FuzzReport, type LimitsName } from "../lab/fuzz.ts";
import { reproductionText } from "../lab/reproduction.ts";
import { table } from "../table.ts";
import { given } from "./given.ts";
import { checkFolder, deviceOption, positive, seedOption, weftOption } from "./options.ts";
import { progressBar } from "./progress_bar.ts";
import { stopOnSignal } from "./stop_on_signal.ts";
import { targets } from "./targets.ts";
import { makeFolder, writeWhole } from "../write_whole.ts";

interface FuzzFlags {
  readonly seconds: number;
  readonly seed: number;
  readonly path?: string;
  readonly device: "auto" | "webgpu" | "cpu";
  readonly limits: LimitsName | "both";
  readonly policy: readonly PolicyName[];
  readonly target?: keyof typeof targets;
  readonly out: string;
  readonly weft?: string;
}

export function fuzzCommand(): Command {
  return new Command("fuzz")
    .description(
      "Tries random graphs: every policy and limit against the references; failures are shrunk and written down.",
    )
    .option("--seconds <number>", "what it may take", positive, 60)
    .addOption(seedOption(1))
    .option("--path <path>", "one graph of the round that --seed begins, as a failure says it", pathOf)
    .addOption(deviceOption())
    .addOption(
      new Option(
        "--limits <kind>",
        "the device's own, WebGPU's default ones (8 buffers, 128 MiB, 16 KiB, 256), or both",
      )
        .choices(["default", "small", "both"]).default("both"),
    )
    .addOption(
      new Option("--policy <name>", "what fuses; any number of times").argParser(policyName)
        .default([], "all that ship"),
    )
    .addOption(
      new Option(
        "--target <kind>",
        "a kind of processor that schedules are made for, instead of this machine's",
      ).choices(
        Object.keys(targets),
      ),
    )
    .option("--out <folder>", "where reproduction files go", "fuzz")
    .addOption(weftOption())
    .action(run);
}

function policyName(text: string, before: readonly PolicyName[]): readonly PolicyName[] {
  if (Object.hasOwn(policies, text)) return [...before, text as PolicyName];
  throw new InvalidArgumentError(`Allowed choices are ${Object.keys(policies).join(", ")}.`);
}

function pathOf(text: string): string {
  if (!/^\d+(:\d+)*$/.test(text)) throw new InvalidArgumentError("It is no path such as 3 or 3:0:12.");
  return text;
}

async function run(flags: FuzzFlags): Promise<void> {
  checkFolder(flags.out);
  using device = await openDevice({ device: flags.device });
  using stop = stopOnSignal();
  let report: FuzzReport;
  {
    using bar = progressBar();
    const options: FuzzOptions = {
      device,
      seconds: flags.seconds,
      seed: flags.seed,
      ...flags.path !== undefined && { path: flags.path },
      ...flags.policy.length > 0 && { policies: flags.policy },
      ...flags.limits !== "both" && { limits: [flags.limits] },
      ...flags.target !== undefined && { target: targetFor(flags.target, device) },
      signal: stop.signal,
      onProgress: ({ graphs, failures, elapsed, seconds }) =>
        bar.show(
          elapsed / seconds,
          `${counted(graphs, "graph")}, ${(graphs / Math.max(elapsed, 0.1)).toFixed(1)} a second` +
            (failures > 0 ? `, ${failures} failed` : ""),
        ),
    };
    report = flags.path === undefined ? await fuzz(options) : await given("--path", () => fuzz(options));
  }
  console.log(reportText(report, device));
  for (const failure of report.failures) await tell(failure, device, flags);
  if (report.interrupted) console.log("Interrupted.");
  if (report.failures.length > 0) Deno.exitCode = 1;
  else if (report.interrupted) Deno.exitCode = 130;
}

/** A kind of processor, with what this device can do. */
const targetFor = (kind: keyof typeof targets, { target }: Device): Target => {
  const { limits, features, builtins, quirks } = target;
  return { ...targets[kind], limits, features, builtins, quirks };
};

function reportText(
  { graphs, results, dropped, seconds, ops, missing, ways }: FuzzReport,
  device: Device,
): string {
  const rows = ways.map(({ policy, limits, runs, distinct, refused, failures }) =>
    [policy, limits, runs, distinct, refused, failures].map(String)
  );
  const percent = results === 0 ? "0" : (100 * dropped / results).toFixed(1);
  return [
    `${device.name}: ${counted(graphs, "graph")} in ${seconds.toFixed(1)} s, ${
      (graphs / seconds).toFixed(1)
    } a second; ` +
    `${counted(results, "result")}, of ${percent} % of which nothing can be said (rounding decides).`,
    ...table([["policy", "limits", "graphs", "own programs", "refused", "failed"], ...rows]),
    `${counted(ops.size, "op")} took part${
      missing.length > 0 ? `; none of these did: ${missing.join(", ")}` : ", all that there are"
    }.`,
  ].join("\n");
}

async function tell(failed: FuzzFailure, device: Device, flags: FuzzFlags): Promise<void> {
  const { seed, path, policy, limits, setting, failure, count } = failed;
  const again = `weft fuzz --seed ${seed} --path ${path} --device ${device.kind}` +
    `${flags.limits === "both" ? "" : ` --limits ${flags.limits}`}${
      flags.policy.map((name) => ` --policy ${name}`).join("")
    }` +
    (flags.target === undefined ? "" : ` --target ${flags.target}`);
  const about = [
    `A random graph that the policy "${policy}" computes wrongly for ${limits} limits, shrunk.`,
    `The graph that was drawn: ${again}`,
  ];
  const text = reproductionText(failed.case, setting, failure, {
    about,
    device,
    ...flags.weft !== undefined && { weft: flags.weft },
  });
  await makeFolder(flags.out);
  const file = join(flags.out, `${seed}_${path.replaceAll(":", "-")}_${policy}.ts`);
  await writeWhole(file, text);
  console.log(
    `\n${policy}, ${limits} limits${count > 1 ? `, ${counted(count, "time")}` : ""}: ${failure.message}; ` +
      `${failed.unfused ? "unfused it is wrong, too" : "unfused it is right"}\n` +
      `    ${counted(failed.case.graph.nodes.length, "node")}${
        failed.minimal ? "" : " so far"
      }: ${file}\n    ${again}`,
  );
}
