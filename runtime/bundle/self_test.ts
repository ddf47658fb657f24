/**
 * The self-test of a bundle from disk, checked in full and run by the loader of this library: nothing of the bundle is
 * executed but its kernels.
 * @module
 */

import { pathToFileURL } from "node:url";
import { BundleError, type LoadOptions } from "../../compiler/bundle/loader/public.ts";
import { selfTest } from "../../compiler/bundle/loader/self_test.ts";
import type { Manifest } from "../../compiler/bundle/manifest.ts";
import { RunError } from "../../compiler/errors.ts";
import { prepareEnvironment } from "../environment.ts";
import { folderSource, readBundle } from "./read.ts";

/** What the self-test of a bundle found. */
export interface SelfTestOutcome {
  readonly manifest: Manifest;
  /** Elements that were compared. */
  readonly compared: number;
  /** Elements beyond the manifest's tolerance, each as a sentence; none is well. */
  readonly mistakes: readonly string[];
}

/** @throws RunError where the bundle is not what it claims to be, has no self-test, or where no device can run it. */
export async function runSelfTest(
  folder: string,
  options: Pick<LoadOptions, "gpu" | "device"> = {},
): Promise<SelfTestOutcome> {
  const { manifest, test } = await readBundle(folderSource(folder));
  if (!test) {
    throw new RunError(
      `${folder} was built without a self-test. Build it without --no-self-test to have one.`,
    );
  }
  prepareEnvironment();
  const compared = [...test.outputs, ...test.state].reduce((sum, { indices }) => sum + indices.length, 0);
  try {
    return {
      manifest,
      compared,
      mistakes: await selfTest({ ...options, base: pathToFileURL(`${folder}/`) }),
    };
  } catch (error) {
    if (error instanceof BundleError) throw new RunError(error.message, { cause: error });
    throw error;
  }
}
