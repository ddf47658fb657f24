import assert from "node:assert/strict";
import { openDevice } from "../../../runtime/device.ts";

/** A machine without an adapter. */
const none = { requestAdapter: () => Promise.resolve(null) } as unknown as GPU;

Deno.test("openDevice() computes on the CPU where there is no adapter, and says so in one line", async () => {
  const heard: string[] = [];
  const original = console.warn;
  console.warn = (text: string) => heard.push(text);
  try {
    using device = await openDevice({ gpu: none });
    assert.equal(device.kind, "cpu");
    assert.equal(device.name, "cpu");
  } finally {
    console.warn = original;
  }
  assert.equal(heard.length, 1);
  assert.match(heard[0]!, /^Weft computes on the CPU.*no WebGPU adapter.*install/);
  assert(!heard[0]!.includes("\n"));
});

Deno.test("openDevice() throws where WebGPU is asked for and there is no adapter", async () => {
  await assert.rejects(
    openDevice({ device: "webgpu", gpu: none }),
    /openDevice\(\): .*no WebGPU adapter.*install/,
  );
});
