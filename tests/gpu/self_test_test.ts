import assert from "node:assert/strict";
import { openAdapter } from "../../runtime/adapter.ts";
import { classOf } from "../../runtime/adapter_class.ts";
import { quirksOf } from "../../runtime/quirks.ts";
import { CHECK_NAMES, selfTest } from "../../runtime/self_test.ts";
import { runProbe } from "../../runtime/self_test/probe.ts";
import { inspectAdapter } from "../../runtime/setup/inspect.ts";
import { brokenChecks } from "../../runtime/setup/ensure_adapter.ts";

Deno.test("openAdapter() gives a device with all the limits that its description states", async () => {
  const { adapter, device } = await openAdapter();
  assert.ok(adapter.description.length > 0);
  assert.ok(adapter.limits.maxComputeInvocationsPerWorkgroup >= 256);
  for (const [name, limit] of Object.entries(adapter.limits)) {
    assert.equal(device.limits[name as keyof typeof adapter.limits], limit, name);
  }
  for (const feature of adapter.features) assert.ok(device.features.has(feature), feature);
  device.destroy();
});

Deno.test("openAdapter() reports an error that no error scope catches", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { device } = await openAdapter({ onUncapturedError: (error) => resolve(error.message) });
  device.createShaderModule({ code: "fn broken( {" });
  assert.match(await promise, /expected identifier/);
  device.destroy();
});

Deno.test("selfTest() finds the machine's adapter fit for kernels, and runs no check that may abort", async () => {
  const opened = await openAdapter();
  const profile = await selfTest(opened);
  assert.deepEqual(brokenChecks(profile), []);
  assert.equal(profile.readBackWithoutAwait.saw, "not tried");
  for (const { name, means, saw } of Object.values(profile)) {
    assert.ok(means.endsWith("."), `${name} says what it means`);
    assert.ok(saw.length > 0 && !saw.startsWith("threw"), `${name}: ${saw}`);
  }
  opened.device.destroy();
});

Deno.test("inspectAdapter() brings the adapter and its whole profile out of another process", async () => {
  const inspection = await inspectAdapter();
  assert.ok(inspection);
  assert.notEqual(inspection.profile.readBackWithoutAwait.saw, "not tried");
  const info = (await navigator.gpu.requestAdapter())!.info;
  assert.equal(inspection.adapter.description, info.description);
  // What the suites run on is a CPU, whatever it is called; on a GPU this line says what to think of its class.
  if (/llvmpipe|swiftshader/i.test(info.description)) assert.equal(classOf(inspection.profile), "software");
});

Deno.test("runProbe() throws with WebGPU's message when a kernel is not accepted", async () => {
  const { device } = await openAdapter();
  await assert.rejects(runProbe(device, { body: "out[i] = nothing;", outputWords: 1 }), /nothing/);
  device.destroy();
});

Deno.test("quirksOf() knows an adapter that set-up has judged, down to the checks that may abort", async () => {
  const opened = await openAdapter();
  const quirks = await quirksOf(opened);
  assert.deepEqual(Object.keys(quirks), CHECK_NAMES);
  assert.notEqual(quirks.readBackWithoutAwait.saw, "not tried");
  opened.device.destroy();
});
