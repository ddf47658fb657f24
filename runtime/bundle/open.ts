/**
 * Running a bundle from disk: checked in full, then run by the loader of this library. The bundle's own `index.js` is
 * never executed.
 * @module
 */

import { pathToFileURL } from "node:url";
import type { Manifest } from "../../compiler/bundle/manifest.ts";
import { load } from "../../compiler/bundle/loader/load.ts";
import { type Bundle, BundleError, type LoadOptions } from "../../compiler/bundle/loader/public.ts";
import { RunError } from "../../compiler/errors.ts";
import { prepareEnvironment } from "../environment.ts";
import { type CheckedBundle, folderSource, readBundle } from "./read.ts";

/** A bundle on a device, and what it says of itself. */
export interface OpenedBundle extends Disposable {
  readonly manifest: Manifest;
  readonly bundle: Bundle;
}

/**
 * @param checked What `readBundle` made of the folder, where it was read already.
 * @throws RunError where the bundle is not what it claims to be, or where there is no device that can run it.
 */
export async function openBundle(
  folder: string,
  options: Pick<LoadOptions, "gpu" | "device" | "onProgress" | "onLost"> = {},
  checked?: CheckedBundle,
): Promise<OpenedBundle> {
  const { manifest } = checked ?? await readBundle(folderSource(folder));
  prepareEnvironment();
  try {
    const bundle = await load({ ...options, base: pathToFileURL(`${folder}/`) });
    return { manifest, bundle, [Symbol.dispose]: () => bundle.dispose() };
  } catch (error) {
    if (error instanceof BundleError) throw new RunError(error.message, { cause: error });
    throw error;
  }
}
