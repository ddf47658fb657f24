/**
 * What a compile may assume of the device that a program will run on.
 *
 * A target starts from the defaults for the kind of processor and takes over what the adapter says (limits) and what
 * its self-test found (features that were granted and work, loops that end early).
 * @module
 */

import { gpuTarget, integratedTarget, softwareTarget, type Target } from "../compiler/target.ts";
import type { AdapterDescription } from "./adapter.ts";
import { classOf } from "./adapter_class.ts";
import type { QuirkProfile } from "./self_test.ts";

/** Mesa before version 25 leaves a loop after this many turns, summed over all loops of an invocation. */
const EARLY_LOOP_END = 65_535;

const bases = { software: softwareTarget, integrated: integratedTarget, discrete: gpuTarget } as const;

export function targetOf(adapter: AdapterDescription, quirks: QuirkProfile): Target {
  const base = bases[classOf(quirks)];
  const { limits } = adapter;
  return {
    ...base,
    name: adapter.description || `${adapter.vendor} ${adapter.architecture}`.trim() || base.name,
    limits: {
      storageBuffers: limits.maxStorageBuffersPerShaderStage,
      bindingBytes: limits.maxStorageBufferBindingSize,
      bufferBytes: limits.maxBufferSize,
      workgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      lanesPerWorkgroup: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
      sharedBytes: limits.maxComputeWorkgroupStorageSize,
    },
    features: {
      f16: adapter.features.includes("shader-f16") && quirks.f16.ok,
      subgroups: adapter.features.includes("subgroups") && quirks.subgroups.ok,
    },
    builtins: { exp: quirks.exp.ok },
    broadcast: classOf(quirks) === "software" && quirks.broadcasts.ok ? quirks.broadcasts.measured ?? 0 : 0,
    subgroup: quirks.handing.ok ? quirks.handing.measured ?? 0 : 0,
    quirks: { loopBound: quirks.longLoops.ok ? Infinity : EARLY_LOOP_END },
  };
}

/**
 * Kernels as JavaScript: one lane, so that phases are plain loops and arrays are variables, and few limits. A binding
 * is a typed array, whose elements are numbered by i32.
 */
export const cpuTarget: Target = {
  ...softwareTarget,
  name: "cpu",
  limits: {
    storageBuffers: 64,
    bindingBytes: 2 ** 31 - 4,
    bufferBytes: 2 ** 32,
    workgroupsPerDimension: 65_535,
    lanesPerWorkgroup: 256,
    sharedBytes: 16 * 1024,
  },
  features: { f16: true, subgroups: false },
  lanes: { map: 1, row: 1, contraction: 1 },
  contraction: { ...softwareTarget.contraction, shape: "register", depth: 4, tile: [4, 4], grid: [1, 1] },
  parallel: 1,
  // A number costs as much as arithmetic with it, and phases are loops over one lane.
  steps: { buffer: [0.5, 2], shared: [0.5, 2], turn: 1, phase: 0 },
};
