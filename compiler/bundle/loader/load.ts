/**
 * Opening a bundle: what is checked, and in which order.
 * @module
 */

import type { Manifest } from "../manifest.ts";
import { check, lacking } from "./check.ts";
import { fail, folderOf, read, sha256 } from "./files.ts";
import { LoadedBundle } from "./loaded_bundle.ts";
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
  const text = await read(base, "manifest.json");
  if (MANIFEST_SHA256 && await sha256(text) !== MANIFEST_SHA256) {
    fail(`${base}manifest.json is not the one that this index.js was made with.`);
  }
  const manifest = JSON.parse(new TextDecoder().decode(text)) as Manifest;
  if (manifest.format !== "weft-bundle" || manifest.version !== 1) {
    fail(`${base}manifest.json is of version ${manifest.version}, and this loader knows 1.`);
  }
  const gpu = options.gpu ?? globalThis.navigator?.gpu;
  const adapter = options.device ?? await gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) fail("This bundle needs WebGPU, and there is no adapter here.");
  const variant = manifest.variants.find((variant) => !lacking(variant, adapter)) ??
    fail(`This device can't run the bundle: it lacks ${lacking(manifest.variants.at(-1)!, adapter)}.`);
  for (const program of variant.programs) check(manifest, program);
  const kernels = await Promise.all(manifest.kernels.map(async ({ file, sha256: hash }, index) => {
    const isUsed = variant.programs.some(({ steps }) =>
      steps.some((s) => "kernel" in s && s.kernel === index)
    );
    if (!isUsed) return "";
    const code = new TextDecoder().decode(await read(base, file)).replace(/^(\/\/[^\n]*\n)*/, "");
    if (await sha256(new TextEncoder().encode(code)) === hash) return code;
    return fail(`${base}${file} is not the file that the bundle was made with.`);
  }));
  const device = options.device ?? await (adapter as GPUAdapter).requestDevice({
    requiredFeatures: variant.features as GPUFeatureName[],
    requiredLimits: variant.limits,
  });
  const bundle = new LoadedBundle(manifest, variant.programs, kernels, device, options);
  try {
    await bundle.begin(base);
    return bundle;
  } catch (error) {
    bundle.dispose();
    throw error;
  }
}
