/**
 * Opening a bundle: what is checked, and in which order.
 * @module
 */

import type { Manifest } from "../manifest.ts";
import { check, lacking } from "./check.ts";
import { loadHalves } from "./elements.ts";
import { fail, folderOf, read, textOf, verified } from "./files.ts";
import { loadOn } from "./loaded_bundle.ts";
import type { Bundle, LoadOptions } from "./public.ts";

/** The hash of the manifest that this loader was made with; empty where somebody else has checked it. */
const MANIFEST_SHA256: string = "";

/**
 * Loads the bundle: checks it, opens a device that can run it, and streams the weights there.
 *
 * @throws BundleError where a file is missing or changed, or where the device lacks something; it says what.
 */
export async function load(options: LoadOptions = {}): Promise<Bundle> {
  const base = folderOf(options);
  const bytes = await read(base, "manifest.json");
  if (MANIFEST_SHA256) await verified(bytes, MANIFEST_SHA256, "manifest.json");
  const text = textOf(bytes);
  const manifest = JSON.parse(text) as Manifest;
  if (manifest.version !== 2) fail(`The manifest is of version ${manifest.version}, not 2.`);
  const adapter = options.device ?? await (options.gpu ?? globalThis.navigator?.gpu)?.requestAdapter() ??
    fail("There is no WebGPU adapter here.");
  const { variants, kernels } = manifest;
  const { features, limits, programs } = variants.find((variant) => !lacking(variant, adapter)) ??
    fail(`This device can't run the bundle: it lacks ${lacking(variants.at(-1)!, adapter)}.`);
  for (const program of programs) check(manifest, program);
  if (/"[fF]16"/.test(text)) await loadHalves();
  const used = programs.flatMap(({ steps }) => steps.map((step) => "kernel" in step && step.kernel));
  const codes = await Promise.all(kernels.map(async ({ file, sha256 }, index) => {
    if (!used.includes(index)) return "";
    const code = textOf(await read(base, file)).replace(/^(\/\/[^\n]*\n)*/, "");
    return textOf(await verified(new TextEncoder().encode(code), sha256, file));
  }));
  const device = options.device ?? await (adapter as GPUAdapter).requestDevice({
    requiredFeatures: features as GPUFeatureName[],
    requiredLimits: limits,
  });
  return loadOn(device, manifest, programs, codes, base, options);
}
