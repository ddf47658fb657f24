/**
 * What an adapter does with small kernels, rather than what it says of itself.
 *
 * Drivers differ in ways that no limit or feature tells: loops that end early, NaN that equals itself, a `tanh` that
 * overflows. The self-test asks each such question once; the answers are data, which the compiler's target description
 * is made from and which set-up uses to tell a working driver from a broken one.
 *
 * The checks themselves stand in `self_test/`, in tables; a check added there appears in the profile by itself.
 * @module
 */

import type { OpenedAdapter } from "./adapter.ts";
import type { Check, Finding } from "./self_test/check.ts";
import { EXECUTION_CHECKS } from "./self_test/execution.ts";
import { FEATURE_CHECKS } from "./self_test/features.ts";
import { NUMBER_CHECKS } from "./self_test/numbers.ts";
import { PARALLELISM_CHECKS } from "./self_test/parallelism.ts";

const CHECKS = { ...EXECUTION_CHECKS, ...NUMBER_CHECKS, ...FEATURE_CHECKS, ...PARALLELISM_CHECKS };

export type CheckName = keyof typeof CHECKS;
export const CHECK_NAMES = Object.keys(CHECKS) as readonly CheckName[];

export interface CheckResult extends Finding {
  readonly name: CheckName;
  /** What it means when `ok` is true, as a sentence. */
  readonly means: string;
}

/** What the self-test found, by the check's name; plain data that survives JSON. */
export type QuirkProfile = Readonly<Record<CheckName, CheckResult>>;

export interface SelfTestOptions {
  /**
   * Also run the checks that may end the process. Give it only in a process of its own, as set-up does; else these
   * checks answer no without being run.
   */
  readonly mayAbort?: boolean;
}

/**
 * Asks every question of the self-test; takes a second or two on a software adapter. A check whose kernel is not
 * accepted, or whose call throws, answers no and says what was thrown.
 *
 * @example
 * ```ts
 * import { openAdapter } from "./adapter.ts";
 * import { selfTest } from "./self_test.ts";
 *
 * const opened = await openAdapter();
 * const profile = await selfTest(opened);
 * if (!profile.longLoops.ok) console.log(profile.longLoops.means, profile.longLoops.saw);
 * opened.device.destroy();
 * ```
 */
export async function selfTest(opened: OpenedAdapter, options: SelfTestOptions = {}): Promise<QuirkProfile> {
  const subject = { device: opened.device, features: opened.adapter.features };
  const results: Partial<Record<CheckName, CheckResult>> = {};
  for (const [name, check] of Object.entries(CHECKS) as [CheckName, Check][]) {
    const mayRun = !check.mayAbort || options.mayAbort === true;
    const finding = mayRun ? await check.ask(subject).catch(asFinding) : { ok: false, saw: "not tried" };
    results[name] = { name, means: check.means, ...finding };
  }
  return results as QuirkProfile;
}

/** The profile as lines of text, one per check. */
export function printProfile(profile: QuirkProfile): string {
  return Object.values(profile).map(({ name, ok, saw }) => `${ok ? "yes" : "no "} ${name}: ${saw}`).join(
    "\n",
  );
}

function asFinding(error: unknown): Finding {
  return { ok: false, saw: `threw: ${error instanceof Error ? error.message : error}` };
}
