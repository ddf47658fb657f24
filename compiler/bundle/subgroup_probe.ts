/**
 * Whether lanes are where kernels take them to be that have lanes hand one another values (`emit/shared_loads.ts`,
 * `emit/wgsl_combine.ts`).
 *
 * A workgroup of no more lanes than a subgroup is to be one subgroup, with the numbers 0, 1, …. WGSL promises neither: it
 * says into which sizes subgroups fall (`subgroupMinSize` to `subgroupMaxSize`), not that a workgroup is cut into as few as
 * can be, and an implementation may leave some of a subgroup's places empty. Nor need `subgroup_invocation_id` follow
 * `local_invocation_index`, but that is not needed: such kernels number their lanes as the subgroup does, and which lane of
 * a workgroup computes what is nobody's affair. In a larger workgroup the lanes from each multiple of the subgroup's size
 * are to be one subgroup, in their order: there the workgroup's own numbers must be the subgroup's, up to the multiple.
 *
 * Both hold in every driver that is known, for workgroups in a row. What counts is the least size, since a compiler may
 * choose another one for another kernel; so a variant asks for that minimum, and these kernels ask the device itself, in
 * workgroups of each size that the variant has: a lane that got from another what it should not writes no 1, and a
 * workgroup that was cut in two leaves words unwritten.
 * @module
 */

import type { BundleKernel } from "./manifest.ts";

/** Workgroups that ask: as many as several units of a device would share. */
const groups = 32;

/** Lanes of a workgroup, and how many of them hand one another values, from each multiple of that number. */
export interface AskedOfSubgroups {
  readonly lanes: number;
  readonly subgroup: number;
}

export function subgroupProbe(
  { lanes, subgroup }: AskedOfSubgroups,
): { readonly code: string; readonly description: Omit<BundleKernel, "file" | "sha256"> } {
  const isWhole = lanes <= subgroup;
  const bits: number[] = [];
  for (let bit = 1; bit < subgroup; bit *= 2) bits.push(bit);
  const handed = isWhole
    ? Array.from({ length: lanes }, (_, n) => `  wrong |= subgroupBroadcast(id, ${n}u) ^ ${n}u;`)
    : bits.map((bit) => `  wrong |= subgroupShuffleXor(id, ${bit}u) ^ id ^ ${bit}u;`);
  const number = isWhole ? "subgroup_invocation_id" : "local_invocation_index";
  const code = [
    "enable subgroups;",
    "",
    `@group(0) @binding(0) var<storage, read_write> b0: array<u32, ${groups * lanes}>;`,
    "",
    `@compute @workgroup_size(${lanes})`,
    `fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(${number}) id: u32) {`,
    "  var wrong = 0u;",
    ...handed,
    `  b0[wid.x * ${lanes}u + min(id, ${lanes - 1}u)] = select(0u, 1u, wrong == 0u);`,
    "}",
    "",
  ].join("\n");
  return {
    code,
    description: {
      workgroup: [lanes, 1, 1],
      shared: 0,
      bindings: [{ access: "read_write", bytes: groups * lanes * 4 }],
      uniforms: 0,
      groups,
    },
  };
}
