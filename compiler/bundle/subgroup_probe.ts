/**
 * Whether the lanes of a small workgroup are one subgroup: what kernels take for granted in which lanes hand on what they
 * loaded (`emit/shared_loads.ts`).
 *
 * Three things would have to hold, and WGSL promises none of them. That a workgroup of so many lanes lies in one subgroup:
 * it says into which sizes subgroups fall (`subgroupMinSize` to `subgroupMaxSize`), not that a workgroup is cut into as few
 * of them as can be. That its lanes have the numbers 0, 1, …: an implementation may leave some of a subgroup's places
 * empty. And that `subgroup_invocation_id` and `local_invocation_index` are the same: they need not follow each other.
 *
 * The last is not needed: kernels of such a variant number their lanes as the subgroup does, and which lane of a workgroup
 * computes what is nobody's affair. The first two hold in every driver that is known for workgroups in a row of at most
 * `subgroupMinSize` lanes (a smaller subgroup would be none, and lanes are packed from 0); that minimum is what counts,
 * since a compiler may choose another size for another kernel. So a variant asks for the minimum, and this kernel asks
 * the device itself: each lane hands its number to all, and writes 1 where it got 0, 1, … from the others. A workgroup that
 * was cut in two leaves words unwritten.
 * @module
 */

import type { BundleKernel } from "./manifest.ts";

/** Workgroups that ask: as many as several units of a device would share. */
const groups = 32;

/** @param lanes Of a workgroup, 128 at most. */
export function subgroupProbe(
  lanes: number,
): { readonly code: string; readonly description: Omit<BundleKernel, "file" | "sha256"> } {
  const handed = Array.from(
    { length: lanes },
    (_, n) => `  wrong |= subgroupBroadcast(id, ${n}u) ^ ${n}u;`,
  );
  const code = [
    "enable subgroups;",
    "",
    `@group(0) @binding(0) var<storage, read_write> b0: array<u32, ${groups * lanes}>;`,
    "",
    `@compute @workgroup_size(${lanes})`,
    "fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(subgroup_invocation_id) id: u32) {",
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
