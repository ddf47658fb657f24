/**
 * `weft lock model.ts`: writes down what a compile decides, for `weft replay`, `weft build --lock` and
 * `compile(model, { lock })`.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { Command } from "commander";
import { compileGraph, type CompileOptions } from "../../compiler/compile.ts";
import { policies, type PolicyName } from "../../compiler/fuse/policies.ts";
import { lockOf, type LockOptions } from "../../compiler/lock/make.ts";
import { passes, withoutPasses } from "../../compiler/passes.ts";
import type { Tuning } from "../../compiler/schedule/tuning.ts";
import { type Device, openDevice } from "../device.ts";
import { writeLock } from "../lock/write.ts";
import { tuneProgram } from "../tune/tune.ts";
import { given } from "./given.ts";
import { loadModel, sizesFrom } from "./load_model.ts";
import { checkFolderOf, deviceOption, exportOption, policyOption, positive, sizeOption } from "./options.ts";
import { stepsBar } from "./progress_bar.ts";
import { stopOnSignal } from "./stop_on_signal.ts";
import { checkTargetAlone, targetOption, targets } from "./targets.ts";
import { UsageError } from "./usage_error.ts";

interface LockFlags {
  readonly export?: string;
  readonly size: readonly string[];
  readonly out: string;
  readonly policy: PolicyName;
  readonly without: readonly string[];
  readonly device: "auto" | "webgpu" | "cpu";
  readonly target?: keyof typeof targets;
  readonly tune?: number | true;
  readonly texts: boolean;
}

export function lockCommand(): Command {
  return new Command("lock")
    .description("Writes down what a compile decides: sizes, fusion, tuning, and the hash of every kernel.")
    .argument("<file>", "a file that exports a model, as model(…) and trainStep(…) make it")
    .addOption(exportOption())
    .addOption(sizeOption())
    .option("--out <file>", "where the lock goes", "plan.lock.json")
    .addOption(policyOption())
    .option(
      "--without <pass>",
      "a pass, or a rule of one, to leave out; once for each",
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .addOption(deviceOption())
    .addOption(targetOption())
    .option("--tune [seconds]", "tune kernels for the device first, and lock what is found", positive)
    .option("--no-texts", "hashes only: a smaller file, and a replay that can't show which line differs")
    .action(lock);
}

async function lock(file: string, flags: LockFlags, command: Command): Promise<void> {
  checkTargetAlone(command);
  checkFolderOf(flags.out);
  const { out, target: kind, tune, texts } = flags;
  if (kind !== undefined && tune !== undefined) {
    throw new UsageError(
      `--tune measures on a device, and --target ${kind} is none; leave out one of the two.`,
    );
  }
  const { name, model } = await loadModel(file, flags.export);
  const sizes = sizesFrom(flags.size, { name, model });
  using device = kind === undefined ? await openDevice({ device: flags.device }) : undefined;
  const options: CompileOptions = {
    target: device?.target ?? targets[kind!],
    sizes,
    policy: policies[flags.policy],
    ...flags.without.length > 0 && {
      passes: await given("--without", () => withoutPasses(passes, ...flags.without)),
    },
  };
  const plain = compileGraph(model.graph, options);
  const tuning = device && tune !== undefined ? await tuned(plain, device, tune === true ? 60 : tune) : {};
  const compiled = Object.keys(tuning).length > 0 ? compileGraph(model.graph, { ...options, tuning }) : plain;
  const said: LockOptions = { export: name, adapter: device?.adapter ?? null, texts };
  const made = lockOf(compiled, said);
  await writeLock(out, made);
  const { graph, groups, kernels, dispatches } = made;
  const patches = Object.keys(made.tuning).length;
  console.log(
    `${out}: ${name}${sizesText(sizes)}, ${flags.policy} for ${made.target.name}: ${
      counted(graph.nodes.length, "node")
    } in ` +
      `${counted(groups.length, "group")}, ${counted(kernels.length, "kernel")}, ${
        counted(dispatches.length, "dispatch")
      }` +
      (patches > 0 ? `, ${patches} tuned` : ""),
  );
}

export const sizesText = (sizes: Readonly<Record<string, number>>): string =>
  Object.entries(sizes).map(([name, size]) => `, ${name} = ${size}`).join("");

async function tuned(
  plain: ReturnType<typeof compileGraph>,
  device: Device,
  seconds: number,
): Promise<Tuning> {
  using stop = stopOnSignal();
  using bar = stepsBar("kernels");
  const { tuning } = await tuneProgram(plain, device, { seconds, signal: stop.signal, onProgress: bar.show });
  if (stop.signal.aborted) Deno.exitCode = 130;
  return tuning;
}
