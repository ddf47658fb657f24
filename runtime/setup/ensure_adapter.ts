/**
 * Seeing to it that the machine has a WebGPU adapter that computes right, installing a software one if it must.
 *
 *     remembered as good? ──yes──► done (a tenth of a second)
 *       │ no
 *     inspect in a child process ──works──► remember, done
 *       │ none, or broken
 *     install Mesa, where that can be done ──► inspect again ──► remember, done, or say what is wrong
 *
 * @module
 */

import { prepareEnvironment } from "../environment.ts";
import { cacheKey, recallProfile, rememberProfile } from "../quirk_cache.ts";
import type { CheckName, QuirkProfile } from "../self_test.ts";
import { inspectAdapter, type Inspection } from "./inspect.ts";
import { installMesa, whatToInstallByHand } from "./mesa.ts";

/** An adapter is ready, or a sentence says why not and what to do. */
export type Readiness =
  | { readonly ready: true; readonly adapter: string; readonly profile: QuirkProfile }
  | { readonly ready: false; readonly because: string };

/** Without these no kernel is right; every other check tells only how kernels have to be written. */
const ESSENTIAL: readonly CheckName[] = [
  "longLoops",
  "workgroupMemory",
  "workgroupZeroed",
  "atomics",
  "nanBits",
];

/** Makes the adapter ready, and sets the environment variables that it needs for this process and its children. */
export async function ensureAdapter(): Promise<Readiness> {
  prepareEnvironment();
  const info = (await navigator.gpu.requestAdapter())?.info;
  const remembered = info && recallProfile(cacheKey(info));
  if (remembered && brokenChecks(remembered).length === 0) {
    return { ready: true, adapter: info.description, profile: remembered };
  }
  const first = await judge();
  if (first.ready) return first;

  const advice = whatToInstallByHand();
  if (advice !== null) return { ready: false, because: `${first.because} ${advice}` };
  console.error(`${first.because} Weft now installs Mesa's software adapter, which takes about a minute.`);
  try {
    await installMesa();
  } catch (error) {
    const said = error instanceof Error ? error.message : error;
    return { ready: false, because: `Weft could not install Mesa's software adapter: ${said}` };
  }
  return await judge();
}

/** The essential checks that an adapter fails. */
export function brokenChecks(profile: QuirkProfile): CheckName[] {
  return ESSENTIAL.filter((name) => !profile[name].ok);
}

async function judge(): Promise<Readiness> {
  let inspection: Inspection;
  try {
    inspection = await inspectAdapter();
  } catch (error) {
    const said = error instanceof Error ? error.message : error;
    return { ready: false, because: `This machine's WebGPU adapter fails the self-test: ${said}.` };
  }
  if (inspection === null) return { ready: false, because: "This machine has no WebGPU adapter." };
  const { adapter, profile } = inspection;
  rememberProfile(cacheKey(adapter), profile);
  const broken = brokenChecks(profile);
  if (broken.length === 0) return { ready: true, adapter: adapter.description, profile };
  const wrong = broken.map((name) => `${name}: ${profile[name].saw}`).join("; ");
  return { ready: false, because: `The WebGPU adapter ${adapter.description} computes wrongly (${wrong}).` };
}
