/**
 * A process of its own that opens the adapter, runs the whole self-test and prints what it found as one line of JSON.
 * Set-up starts it, so that a driver that aborts the process aborts only this one, and so that a driver installed a
 * moment ago is seen: a process looks for drivers once.
 * @module
 */

import { type AdapterDescription, NoAdapterError, openAdapter } from "../adapter.ts";
import { type QuirkProfile, selfTest } from "../self_test.ts";

/** The adapter and its profile, or null where the machine has none. */
export type Inspection = { readonly adapter: AdapterDescription; readonly profile: QuirkProfile } | null;

/** Runs this file in a child process. Throws with the end of what it printed where it failed or aborted. */
export async function inspectAdapter(): Promise<Inspection> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", "--quiet", import.meta.url],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (success) return JSON.parse(new TextDecoder().decode(stdout));
  throw new Error(new TextDecoder().decode(stderr).trim().split("\n").slice(-5).join("\n"));
}

async function inspectHere(): Promise<Inspection> {
  try {
    const opened = await openAdapter();
    return { adapter: opened.adapter, profile: await selfTest(opened, { mayAbort: true }) };
  } catch (error) {
    if (error instanceof NoAdapterError) return null;
    throw error;
  }
}

if (import.meta.main) console.log(JSON.stringify(await inspectHere()));
