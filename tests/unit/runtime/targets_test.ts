import assert from "node:assert/strict";
import { gpuTarget, softwareTarget } from "../../../compiler/target.ts";
import type { AdapterDescription, Limits } from "../../../runtime/adapter.ts";
import { CHECK_NAMES, type QuirkProfile } from "../../../runtime/self_test.ts";
import { cpuTarget, targetOf } from "../../../runtime/targets.ts";

const limits = {
  maxStorageBuffersPerShaderStage: 10,
  maxStorageBufferBindingSize: 2 ** 30,
  maxBufferSize: 2 ** 31,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 512,
  maxComputeWorkgroupStorageSize: 32_768,
} as Limits;
const adapter: AdapterDescription = {
  vendor: "4318",
  architecture: "",
  device: "1",
  description: "A graphics card",
  limits,
  features: ["shader-f16", "subgroups"],
};

const quirks = (failing: readonly string[] = []) =>
  Object.fromEntries(
    CHECK_NAMES.map((name) => [name, { name, means: "", ok: !failing.includes(name), saw: "" }]),
  ) as QuirkProfile;

Deno.test("targetOf() takes limits from the adapter and numbers from its class", () => {
  const target = targetOf(adapter, quirks());
  assert.equal(target.name, "A graphics card");
  assert.deepEqual(target.lanes, gpuTarget.lanes);
  assert.deepEqual(target.limits, {
    storageBuffers: 10,
    bindingBytes: 2 ** 30,
    bufferBytes: 2 ** 31,
    workgroupsPerDimension: 65_535,
    lanesPerWorkgroup: 512,
    sharedBytes: 32_768,
  });
  assert.deepEqual(targetOf(adapter, quirks(["lanesTogether"])).lanes, softwareTarget.lanes);
  assert(targetOf(adapter, quirks(["workgroupsTogether"])).parallel < gpuTarget.parallel);
});

Deno.test("targetOf() uses a feature only where it was granted and works", () => {
  assert.deepEqual(targetOf(adapter, quirks()).features, { f16: true, subgroups: true });
  assert.deepEqual(targetOf(adapter, quirks(["f16"])).features, { f16: false, subgroups: true });
  assert.deepEqual(targetOf({ ...adapter, features: [] }, quirks()).features, {
    f16: false,
    subgroups: false,
  });
});

Deno.test("targetOf() lets lanes hand on what they reduce, and those of a processor what they load, where that was seen to work", () => {
  const measured = (failing: readonly string[]) => {
    const found = quirks(failing);
    return {
      ...found,
      broadcasts: { ...found.broadcasts, measured: 8 },
      handing: { ...found.handing, measured: 16 },
    };
  };
  assert.equal(targetOf(adapter, measured([])).subgroup, 16);
  assert.equal(targetOf(adapter, measured(["handing"])).subgroup, 0);
  assert.equal(targetOf(adapter, measured(["lanesTogether"])).broadcast, 8);
  assert.equal(targetOf(adapter, measured(["lanesTogether", "broadcasts"])).broadcast, 0);
  assert.equal(targetOf(adapter, measured([])).broadcast, 0);
});

Deno.test("targetOf() bounds loops where the driver ends them early", () => {
  assert.equal(targetOf(adapter, quirks()).quirks.loopBound, Infinity);
  assert.equal(targetOf(adapter, quirks(["longLoops"])).quirks.loopBound, 65_535);
});

Deno.test("cpuTarget has one lane everywhere, and its grid agrees", () => {
  const { lanes, contraction: { grid } } = cpuTarget;
  assert.deepEqual(lanes, { map: 1, row: 1, contraction: 1 });
  assert.equal(grid[0] * grid[1], lanes.contraction);
});
