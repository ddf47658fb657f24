/** The runtime on the machine's WebGPU adapter: the contract of every device, and what only a GPU can get wrong. */

import assert from "node:assert/strict";
import { openAdapter } from "../../runtime/adapter.ts";
import { type Device, openDevice } from "../../runtime/device.ts";
import { load } from "../../runtime/executable.ts";
import { quirksOf } from "../../runtime/quirks.ts";
import { assertNoGrowth } from "../support/growth.ts";
import { catchDevices, countCalls } from "../support/gpu_calls.ts";
import { testContract } from "../support/runtime_contract.ts";
import { affine, counter } from "../support/tiny_programs.ts";

const opened = await openAdapter();
const quirks = await quirksOf(opened);
opened.device.destroy();

const open = () => openDevice({ device: "webgpu", quirks });

/** As on an engine whose `mapAsync` doesn't wait inside the call. */
const openAwaiting = () => {
  const readBackWithoutAwait = { ...quirks.readBackWithoutAwait, ok: false };
  const timestamps = { ...quirks.timestamps, ok: false };
  return openDevice({ device: "webgpu", quirks: { ...quirks, readBackWithoutAwait, timestamps } });
};

testContract("webgpu", open);
testContract("webgpu, awaiting its reads", openAwaiting);

Deno.test("openDevice() takes the adapter where nothing is asked for", async () => {
  const heard: string[] = [];
  using device = await openDevice({ trace: (message) => heard.push(message), quirks });
  assert.equal(device.kind, "webgpu");
  assert.equal(heard.length, 1);
  assert(heard[0]!.includes(device.name), heard[0]!);
});

Deno.test("openDevice() refuses an adapter that computes wrongly, and names what is wrong", async () => {
  const atomics = { ...quirks.atomics, ok: false, saw: "sum 3, expected 4" };
  const broken = { ...quirks, atomics };
  await assert.rejects(
    openDevice({ device: "webgpu", quirks: broken }),
    /computes wrongly: atomics \(sum 3, expected 4\)/,
  );
  const warned = await warnings(async () => {
    using device = await openDevice({ quirks: broken });
    assert.equal(device.kind, "cpu");
  });
  assert.equal(warned.length, 1);
  assert.match(warned[0]!, /computes on the CPU.*atomics.*runtime\/setup\/main\.ts/);
});

Deno.test("10,000 runs make no buffer and hold no memory", async () => {
  const calls = countCalls(GPUDevice.prototype, [
    "createBuffer",
    "createBindGroup",
    "createShaderModule",
    "createComputePipeline",
  ]);
  const devices = catchDevices();
  using device = await open();
  using executable = await load(counter(), device);
  const [gpu] = devices.caught;
  const by = new Int32Array([1]);
  const run = async (count: number) => {
    for (let k = 0; k < count; k++) {
      const { count } = executable.run({ by });
      if (k % 100 === 99) await count!.item();
    }
    await executable.idle();
  };
  await run(10_000); // the first ones fill pools and the heap
  calls.reset();
  const rounds = await assertNoGrowth({
    act: () => run(10_000),
    alone: async () => {
      for (let k = 0; k < 10_000; k++) {
        gpu!.queue.submit([gpu!.createCommandEncoder().finish()]);
        if (k % 100 === 99) await executable.idle();
      }
    },
  });
  assert.deepEqual(calls.counts, {});
  const runs = 10_000 * (1 + rounds);
  assert.deepEqual(await executable.state.read("count"), new Int32Array([runs]));
  calls.restore();
  devices.restore();
});

Deno.test("programs with equal kernels share their pipelines", async () => {
  using device = await open();
  const calls = countCalls(GPUDevice.prototype, ["createComputePipeline"]);
  using _first = await load(affine([8], 2, 1), device);
  using second = await load(affine([8], 3, -1), device);
  calls.restore();
  assert.deepEqual(calls.counts, { createComputePipeline: 1 });
  const { y } = second.run({ x: new Float32Array(8).fill(2) });
  assert.deepEqual([...await y!.read()], new Array(8).fill(5));
});

Deno.test("reads of one turn share one map", async () => {
  using device = await open();
  using executable = await load(counter(), device);
  const results = Array.from({ length: 8 }, () => executable.run({ by: new Int32Array([1]) }).count!);
  const calls = countCalls(GPUBuffer.prototype, ["mapAsync"]);
  const numbers = await Promise.all(results.map((result) => result.read()));
  calls.restore();
  assert.deepEqual(numbers.map(([n]) => n), [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(calls.counts, { mapAsync: 1 });
});

Deno.test("a read of more than a staging buffer holds is whole", async () => {
  const n = 5_000_000;
  using device = await open();
  using executable = await load(affine([n]), device);
  const x = Float32Array.from({ length: n }, (_, i) => i % 1000);
  const { y } = executable.run({ x });
  const [whole, again] = await Promise.all([y!.read(), y!.read()]);
  assert(whole.every((value, i) => value === 2 * (i % 1000) + 1));
  assert.equal(again.length, n);
});

Deno.test("after an error of the GPU every use says what it was", async () => {
  const devices = catchDevices();
  using device = await open();
  devices.restore();
  using executable = await load(counter(), device);
  const { count } = executable.run({ by: new Int32Array([1]) });
  devices.caught[0]!.createBuffer({ label: "a mistake", size: 16, usage: 0 });
  await assert.rejects(count!.read(), /GPU refused what it was asked to do.*\n.*load the last checkpoint/s);
  assert.throws(() => executable.run({ by: new Int32Array([1]) }), /GPU refused/);
  await assert.rejects(executable.state.read("count"), /GPU refused/);
  await assert.rejects(device.idle(), /GPU refused/);
});

Deno.test("after the device was lost every use says so", async () => {
  const devices = catchDevices();
  using device = await open();
  devices.restore();
  using executable = await load(counter(), device);
  const { count } = executable.run({ by: new Int32Array([1]) });
  devices.caught[0]!.destroy();
  await assert.rejects(count!.read(), /was lost/);
  assert.throws(() => executable.run({ by: new Int32Array([1]) }), /was lost/);
  await assert.rejects(load(counter(), device), /was lost/);
});

Deno.test("load() says how much a program needs where no buffer can be that large", async () => {
  using device = await open();
  const program = counter();
  const arenas = [...program.arenas, { name: "slab", bytes: 2 ** 45, role: "state" as const }];
  await assert.rejects(load({ ...program, arenas }, device), /"slab" needs 33554432\.0 MiB in one buffer/);
  await usable(device);
});

async function usable(device: Device): Promise<void> {
  using executable = await load(counter(), device);
  const { count } = executable.run({ by: new Int32Array([1]) });
  assert.deepEqual(await count!.read(), new Int32Array([1]));
}

async function warnings(act: () => Promise<void>): Promise<string[]> {
  const heard: string[] = [];
  const original = console.warn;
  console.warn = (text: string) => heard.push(text);
  try {
    await act();
  } finally {
    console.warn = original;
  }
  return heard;
}
