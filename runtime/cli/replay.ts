/**
 * `weft replay plan.lock.json model.ts`: compiles a model as it was locked, without a device, and says what differs.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { Command } from "commander";
import { CompileError } from "../../compiler/errors.ts";
import { readLock } from "../lock/read.ts";
import { type Replay, replay, sizesOfLock } from "../lock/replay.ts";
import { loadModel, sizesFrom } from "./load_model.ts";
import { sizesText } from "./lock.ts";
import { given } from "./given.ts";
import { UsageError } from "./usage_error.ts";
import { exportOption, sizeOption } from "./options.ts";

interface ReplayFlags {
  readonly export?: string;
  readonly size: readonly string[];
}

export function replayCommand(): Command {
  return new Command("replay")
    .description("Compiles a model as it was locked, and says what differs: ops, kernels, places, versions.")
    .argument("<lock>", "what `weft lock` wrote")
    .argument("<file>", "a file that exports the model")
    .addOption(exportOption())
    .addOption(sizeOption())
    .action(replayLock);
}

const isModule = (path: string): boolean => /\.[cm]?[jt]sx?$/.test(path);

async function replayLock(path: string, file: string, { export: name, size }: ReplayFlags): Promise<void> {
  if (isModule(path) && !isModule(file)) {
    throw new UsageError(`the lock comes first, and the model's file second: weft replay ${file} ${path}`);
  }
  const lock = await given("", () => readLock(path));
  const loaded = await loadModel(file, name ?? lock.model.export);
  if (size.length > 0) await given("", () => sizesOfLock(lock, sizesFrom(size, loaded), path));
  let found: Replay;
  try {
    found = replay(loaded.model, lock);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    throw new CompileError(`${path} can't be replayed: ${error.what}`, {
      origin: error.origin,
      cause: error,
    });
  }
  const { same, differences, notes } = found;
  const { graph, groups, kernels, dispatches, policy, target } = lock;
  console.log(`${path}: ${loaded.name}${sizesText(lock.model.sizes)}, ${policy.name} for ${target.name}`);
  for (const note of notes) console.log(`note: ${note}`);
  if (same) {
    console.log(
      `identical: ${counted(graph.nodes.length, "node")}, ${counted(groups.length, "group")}, ${
        counted(kernels.length, "kernel")
      } hash for hash, ` +
        `${counted(dispatches.length, "dispatch")}, all places in memory`,
    );
    return;
  }
  for (const difference of differences) console.log(`differs: ${difference}`);
  Deno.exitCode = 1;
}
