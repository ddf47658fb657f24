/**
 * Limits of a stated device, by WebGPU's names, as the compiler asks for them.
 * @module
 */

import { RunError } from "../../compiler/errors.ts";
import { defaultLimits, type TargetLimits } from "../../compiler/target.ts";

/** Numbers by WebGPU's names, as `adapter.limits` has them. What is not named is as every device has it. */
export type LimitNumbers = Readonly<Record<string, number>>;

const names: { readonly [K in keyof TargetLimits]: readonly string[] } = {
  storageBuffers: ["maxStorageBuffersPerShaderStage"],
  bindingBytes: ["maxStorageBufferBindingSize"],
  bufferBytes: ["maxBufferSize"],
  workgroupsPerDimension: ["maxComputeWorkgroupsPerDimension"],
  lanesPerWorkgroup: ["maxComputeInvocationsPerWorkgroup", "maxComputeWorkgroupSizeX"],
  sharedBytes: ["maxComputeWorkgroupStorageSize"],
};

/** @throws RunError for what is no number, and where no limit is named that a program depends on. */
export function bundleLimits(numbers: LimitNumbers): TargetLimits {
  const known = Object.values(names).flat();
  for (const name of known) {
    const number: unknown = numbers[name];
    if (number === undefined || (Number.isSafeInteger(number) && Number(number) > 0)) continue;
    throw new RunError(`limits: ${name} is ${JSON.stringify(number)}; a limit is a whole number above 0.`);
  }
  if (!known.some((name) => numbers[name] !== undefined)) {
    throw new RunError(
      `limits: none of ${known.join(", ")} is named, and a program depends on nothing else.`,
    );
  }
  const limit = (key: keyof TargetLimits) =>
    Math.min(...names[key].map((name) => numbers[name] ?? defaultLimits[key]));
  return {
    storageBuffers: limit("storageBuffers"),
    bindingBytes: limit("bindingBytes"),
    bufferBytes: limit("bufferBytes"),
    // Grids are folded where every device folds them.
    workgroupsPerDimension: Math.min(limit("workgroupsPerDimension"), defaultLimits.workgroupsPerDimension),
    lanesPerWorkgroup: limit("lanesPerWorkgroup"),
    sharedBytes: limit("sharedBytes"),
  };
}
