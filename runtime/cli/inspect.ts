/**
 * `weft inspect`: what is in a bundle, and whether it is what it claims to be. Needs no GPU and executes nothing.
 * @module
 */

import { Command } from "commander";
import { inspectionText } from "../bundle/inspect.ts";
import { folderSource, readBundle } from "../bundle/read.ts";
import { checkBundleFolder } from "./options.ts";

export function inspectCommand(): Command {
  return new Command("inspect")
    .description("Print a bundle's kernels, memory and needs; verify its schema, hashes and bounds")
    .argument("<folder>", "the bundle")
    .action(async (folder: string) => {
      checkBundleFolder(folder);
      console.log(inspectionText(await readBundle(folderSource(folder))));
    });
}
