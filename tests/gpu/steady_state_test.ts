/** What a training step asks of the adapter once it is warm, and how much memory it holds. */

import assert from "node:assert/strict";
import { gpt } from "../../examples/gpt.ts";
import { mlp } from "../../examples/mnist_mlp.ts";
import { adam, adamW, compile, openDevice, trainStep } from "../../mod.ts";
import { assertNoGrowth } from "../support/growth.ts";
import { catchDevices, countCalls, type CountedCalls } from "../support/gpu_calls.ts";
import { LONG } from "../support/long.ts";

const making = [
  "createBuffer",
  "createBindGroup",
  "createShaderModule",
  "createComputePipeline",
  "createComputePipelineAsync",
] as const;

/** All calls that make something, submit, or begin a pass, counted together. */
function counted(): CountedCalls {
  const all = [
    countCalls(GPUDevice.prototype, making),
    countCalls(GPUQueue.prototype, ["submit"]),
    countCalls(GPUCommandEncoder.prototype, ["beginComputePass"]),
  ];
  return {
    get counts() {
      return Object.assign({}, ...all.map((calls) => calls.counts));
    },
    reset: () => all.forEach((calls) => calls.reset()),
    restore: () => all.forEach((calls) => calls.restore()),
  };
}

Deno.test("a step of the MLP is one pass in one submit and makes nothing; it holds what the plan says", async () => {
  using device = await openDevice({ device: "webgpu" });
  const sizes: number[] = [];
  const original = GPUDevice.prototype.createBuffer;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    if (descriptor.usage & GPUBufferUsage.STORAGE) sizes.push(descriptor.size);
    return original.call(this, descriptor);
  };
  const step = trainStep(mlp.only("loss"), adam({ rate: 1e-3 }));
  using trainer = await compile(step, { device, sizes: { batch: 128 } });
  GPUDevice.prototype.createBuffer = original;
  const total = (bytes: readonly number[]) => bytes.reduce((n, b) => n + b, 0);
  assert.equal(total(sizes), total(trainer.program.arenas.map(({ bytes }) => bytes)));

  const x = Float32Array.from({ length: 128 * 784 }, (_, i) => Math.sin(i));
  const y = Int32Array.from({ length: 128 }, (_, i) => i % 10);
  for (let warm = 0; warm < 3; warm++) trainer.run({ x, y });
  await trainer.idle();
  const calls = counted();
  for (let k = 0; k < 10; k++) trainer.run({ x, y });
  calls.restore();
  assert.deepEqual(calls.counts, { submit: 10, beginComputePass: 10 });
  await trainer.idle();
});

const steps = LONG ? 10_000 : 1_000;

Deno.test(`${steps} steps of a small GPT make no buffer and hold no memory`, async () => {
  const devices = catchDevices();
  using device = await openDevice({ device: "webgpu" });
  const [gpu] = devices.caught;
  devices.restore();
  const net = gpt({ layers: 1, heads: 2, width: 16, context: 8, symbols: 17, dropout: 0.1 });
  const step = trainStep(net.only("loss"), adamW({ rate: 1e-3, clip: 1 }));
  using trainer = await compile(step, { device, sizes: { batch: 2 } });
  const tokens = Int32Array.from({ length: 16 }, (_, i) => (i * 5) % 17);
  const run = async (count: number) => {
    for (let k = 0; k < count; k++) {
      const { loss } = trainer.run({ tokens, targets: tokens });
      if (k % 100 === 99) await loss.item();
    }
  };
  await run(steps);
  const calls = counted();
  await assertNoGrowth({
    act: () => run(steps),
    alone: async () => {
      for (let k = 0; k < steps; k++) {
        gpu!.queue.submit([gpu!.createCommandEncoder().finish()]);
        if (k % 100 === 99) await trainer.idle();
      }
    },
  });
  calls.restore();
  for (const method of making) assert.equal(calls.counts[method], undefined, method);
});
