/**
 * Opening a bundle: what is checked, and in which order.
 * @module
 */

import type { DispatchStep, Manifest } from "../manifest.ts";
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
  if (/"[fF]16"/.test(text)) await loadHalves();
  let lacks: unknown;
  for (const variant of manifest.variants) {
    // Some engines give one device per adapter.
    const adapter = options.device ?? await (options.gpu ?? globalThis.navigator?.gpu)?.requestAdapter() ??
      fail("There is no WebGPU adapter here.");
    lacks = lacking(variant, adapter);
    if (lacks) continue;
    const { features, limits, programs, probes } = variant;
    for (const program of programs) check(manifest, program);
    const used = programs.flatMap(({ steps }) => steps.map((step) => (step as DispatchStep).kernel));
    const codes = await Promise.all(manifest.kernels.map(async ({ file, sha256 }, index) => {
      if (!used.concat(probes ?? []).includes(index)) return "";
      const code = textOf(await read(base, file)).replace(/^(\/\/[^\n]*\n)*/, "");
      await verified(new TextEncoder().encode(code), sha256, file);
      return code;
    }));
    const device = options.device ?? await (adapter as GPUAdapter).requestDevice({
      requiredFeatures: features as GPUFeatureName[],
      requiredLimits: limits,
    }).catch((error) => lacks = error);
    if (lacks) continue;
    if (probes) lacks = await (await import("./subgroups.ts")).adapt(device, manifest.kernels, probes, codes);
    if (!lacks) return loadOn(device, manifest, programs, codes, base, options);
    if (!options.device) device.destroy();
  }
  fail(`This device can't run the bundle: it lacks ${lacks}.`);
}
