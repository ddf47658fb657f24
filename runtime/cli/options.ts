/**
 * Options that commands have in common.
 * @module
 */

import { existsSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { Option } from "commander";
import { policies } from "../../compiler/fuse/policies.ts";
import type { DeviceOptions } from "../device.ts";
import { count } from "./numbers.ts";
import { UsageError } from "./usage_error.ts";

export { count, positive, whole } from "./numbers.ts";

/** `--export NAME` */
export const exportOption = (): Option =>
  new Option("--export <name>", "which export of the file; needed where it exports several models");

/** `--size batch=32`, any number of times. */
export const sizeOption = (): Option =>
  new Option("--size <name=number>", "a number for a size of the model; once for each")
    .argParser((text, before: readonly string[]) => [...before, text]).default([], "none");

const DEVICES = ["auto", "webgpu", "cpu"] as const satisfies readonly DeviceOptions["device"][];

/** `--device cpu` */
export const deviceOption = (): Option =>
  new Option("--device <kind>", "what computes").choices(DEVICES).default("auto");

/** `--policy search` */
export const policyOption = (): Option =>
  new Option("--policy <name>", "which policy fuses").choices(Object.keys(policies)).default("greedy");

/** `--seed 7` */
export const seedOption = (usual = 0): Option =>
  new Option("--seed <number>", "seed of all that is drawn").argParser(count).default(usual);

/** `--weft @weft/weft` */
export const weftOption = (): Option =>
  new Option("--weft <specifier>", "what reproduction files import Weft from").default(
    undefined,
    "this copy's mod.ts",
  );

/** Throws a UsageError where a file can't go to a place for what is there: before the work, not after it. */
export function checkFolderOf(path: string | undefined): void {
  if (path === undefined) return;
  if (!isFolder(dirname(path))) {
    throw new UsageError(`there is no folder "${dirname(path)}" to write ${basename(path)} into.`);
  }
  if (isFolder(path)) throw new UsageError(`"${path}" is a folder; name a file to write.`);
}

/** Throws a UsageError where files can't go into a folder because it, or what it would lie in, is something else. */
export function checkFolder(path: string): void {
  let there = path;
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  if (!isFolder(there)) throw new UsageError(`"${there}" is a file; name a folder to write into.`);
}

/** Throws a UsageError where a folder is none that `weft build` made. */
export function checkBundleFolder(path: string): void {
  if (!existsSync(path)) throw new UsageError(`there is no folder "${path}"; \`weft build\` makes one.`);
  if (!isFolder(path)) throw new UsageError(`"${path}" is a file; name the folder that \`weft build\` made.`);
  if (!existsSync(join(path, "manifest.json"))) {
    throw new UsageError(
      `"${path}" is no bundle: there is no manifest.json in it. \`weft build\` makes bundles.`,
    );
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false; // what can't be looked at is said where it is to be used
  }
}
