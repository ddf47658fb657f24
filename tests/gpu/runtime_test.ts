/** The runtime on the machine's WebGPU adapter: the contract of every device, and what only a GPU can get wrong. */

import assert from "node:assert/strict";
import { openDevice } from "../../runtime/device.ts";
import { load } from "../../runtime/executable.ts";
import { testContract } from "../support/runtime_contract.ts";
import { affine } from "../support/tiny_programs.ts";

const open = () => openDevice({ device: "webgpu" });

testContract("webgpu", open);

Deno.test("openDevice() with `auto` takes the adapter", async () => {
  const heard: string[] = [];
  using device = await openDevice({ trace: (message) => heard.push(message) });
  assert.equal(device.kind, "webgpu");
  assert.equal(heard.length, 1);
  assert(heard[0]!.includes(device.name));
  using executable = await load(affine([1]), device);
  executable.run({ x: new Float32Array(1) });
});
