/**
 * What kind of processor an adapter is.
 *
 * WebGPU doesn't say it, and defaults depend on it: a CPU that plays GPU wants register tiles, few invocations and
 * short compile times; a GPU wants workgroup tiles and many invocations. It is read off what the self-test measured, not
 * off names, so an adapter that nobody has heard of has a class too. The answer only chooses where tuning starts: a wrong
 * one makes no wrong result.
 * @module
 */

import type { QuirkProfile } from "./self_test.ts";

export type AdapterClass = "software" | "integrated" | "discrete";

/** `software` where lanes run one after the other, `integrated` where few workgroups run at once. */
export function classOf(
  { lanesTogether, workgroupsTogether }: Pick<QuirkProfile, "lanesTogether" | "workgroupsTogether">,
): AdapterClass {
  if (!lanesTogether.ok) return "software";
  return workgroupsTogether.ok ? "discrete" : "integrated";
}
