/**
 * What every device promises, as tests that run on any of them. `state_contract.ts` has those of states.
 * @module
 */

import assert from "node:assert/strict";
import type { Device } from "../../runtime/device.ts";
import type { DeviceTensor } from "../../runtime/device_tensor.ts";
import { type Executable, load } from "../../runtime/executable.ts";
import {
  by,
  type ContractTest,
  loadAffine,
  loadCounter,
  refuses,
  rejects,
  untyped,
} from "./contract_programs.ts";
import { STATE_CONTRACT } from "./state_contract.ts";
import { affine, elementKernel, invert, kernelCopyKernel, ProgramBuilder, swap } from "./tiny_programs.ts";

const RUN_CONTRACT: Readonly<Record<string, ContractTest>> = {
  "run() computes what the kernels say": async (device) => {
    using line = await loadAffine(device, 10);
    const { y } = line.run({ x: Float32Array.from({ length: 10 }, (_, i) => i) });
    assert.deepEqual([...await y.read()], [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    assert.deepEqual(y.shape, [10]);
    assert.equal(y.dtype, "f32");
  },

  "run() counts with a state that it updates in place": async (device) => {
    using executable = await loadCounter(device, 40);
    executable.run(by(1));
    const { count } = executable.run(by(1));
    assert.equal(await count.item(), 42);
    assert.deepEqual(await executable.state.read("count"), new Int32Array([42]));
  },

  "run() folds more than 65,535 workgroups into two dimensions": async (device) => {
    const n = 70_001;
    const builder = new ProgramBuilder();
    const y = builder.output("y", [n], "i32");
    const kernel = elementKernel({
      elements: n,
      lanes: 1,
      buffers: [{ name: "y", dtype: "i32", access: "write" }],
      body: (e) => e.store("y", e.index),
    });
    builder.dispatch(kernel, [y]);
    using executable = await load(builder.build(), device);
    const { y: result } = executable.run({});
    const got = await result!.read();
    assert.equal(got.length, n);
    assert(got.every((value, i) => value === i));
  },

  "run() takes bool as bytes and gives it so": async (device) => {
    using executable = await load(invert(6), device);
    const { y } = executable.run({ x: new Uint8Array([1, 0, 0, 1, 7, 0]) });
    assert.deepEqual(await y!.read(), new Uint8Array([0, 1, 1, 0, 0, 1]));
  },

  "run() rounds f16 to halves and gives it as f32": async (device) => {
    using executable = await load(affine([5], 1, 1, "f16"), device);
    const { y } = executable.run({ x: new Float32Array([0.5, 2048, 2047, -1, 1 / 3]) });
    // 2049 has no half and rounds to even; 1/3 is rounded when it is fed and the sum when it is stored.
    const third = Math.f16round(Math.f16round(1 / 3) + 1);
    assert.deepEqual(await y!.read(), new Float32Array([1.5, 2048, 2048, 0, third]));
  },

  "run() copies between kernels in the program's order": async (device) => {
    using executable = await load(kernelCopyKernel(), device);
    for (const k of [1, 10]) {
      const { y } = executable.run({ x: new Float32Array([k, 2 * k, 3 * k, 4 * k]) });
      assert.deepEqual([...await y!.read()], [2 * k, 4 * k, 6 * k, 8 * k]);
    }
  },

  "run() swaps two states of one arena by copies": async (device) => {
    const initial = (path: string) => new Float32Array(path === "a" ? [1, 2, 3] : [4, 5, 6]);
    using executable = await load(swap(), device, { state: initial });
    for (let k = 0; k < 3; k++) executable.run({});
    assert.deepEqual([...await executable.state.read("a")], [4, 5, 6]);
    assert.deepEqual([...await executable.state.read("b")], [1, 2, 3]);
  },

  "run() accepts tensors without elements": async (device) => {
    using executable = await loadAffine(device, 0);
    const { y } = executable.run({ x: new Float32Array() });
    assert.deepEqual(await y.read(), new Float32Array());
    assert.deepEqual(await y.keep().read(), new Float32Array());
  },

  "run() reads constants": async (device) => {
    const builder = new ProgramBuilder();
    const c = builder.constant([3], "i32", new Uint8Array(new Int32Array([7, 8, 9]).buffer));
    const y = builder.output("y", [3], "i32");
    const kernel = elementKernel({
      elements: 3,
      buffers: [{ name: "c", dtype: "i32", access: "read" }, { name: "y", dtype: "i32", access: "write" }],
      body: (e) => e.store("y", e.load("c")),
    });
    builder.dispatch(kernel, [c, y]);
    using executable = await load(builder.build(), device);
    assert.deepEqual([...await executable.run({}).y!.read()], [7, 8, 9]);
  },

  "run() refuses a feed of the wrong length and leaves state unchanged": async (device) => {
    using executable = await loadCounter(device, 5);
    refuses(
      () => executable.run({ by: new Int32Array([1, 2]) }),
      /input "by" wants i32 of shape \[\]: an Int32Array of 1 element, and was fed an Int32Array of 2 elements/,
    );
    assert.deepEqual(await executable.state.read("count"), new Int32Array([5]));
  },

  "run() refuses a feed of another type": async (device) => {
    using executable = await load(affine([2]), device);
    refuses(() => executable.run({ x: new Int32Array(2) }), /wants f32 of shape \[2\]/, /fed an Int32Array/);
    refuses(() => executable.run(untyped({ x: [1, 2] })), /an array of 2 elements; make it a typed array/);
    refuses(() => executable.run(untyped({ x: null })), /was fed null/);
    refuses(() => executable.run(untyped({ x: new Float64Array(2) })), /was fed a Float64Array/);
  },

  "run() refuses a missing and an unknown input": async (device) => {
    using executable = await load(affine([2]), device);
    refuses(() => executable.run({}), /the input "x" is not fed. It wants f32 of shape \[2\]/);
    const x = new Float32Array(2);
    refuses(() => executable.run({ x, z: x }), /there is no input "z"; there are "x"/);
  },

  "run() takes a result of the same device without a way through the host": async (device) => {
    using line = await loadAffine(device, 3);
    let { y } = line.run({ x: new Float32Array([0, 1, 2]) });
    for (let k = 0; k < 3; k++) ({ y } = line.run({ x: y }));
    assert.deepEqual([...await y.read()], [15, 31, 47]);
  },

  "run() refuses a tensor of another shape or type": async (device) => {
    using line = await load(affine([3]), device);
    using other = await loadAffine(device, 4);
    using count = await loadCounter(device);
    const { y } = other.run({ x: new Float32Array(4) });
    refuses(() => line.run({ x: y }), /wants f32 of shape \[3\]/, /tensor "y" of type f32 and shape \[4\]/);
    refuses(() => line.run(untyped({ x: count.run(by(1)).count })), /of type i32 and shape \[\]/);
  },

  "run() may be followed by changes to the fed array": async (device) => {
    using line = await loadAffine(device, 2);
    const x = new Float32Array([1, 2]);
    const { y } = line.run({ x });
    x.fill(100);
    assert.deepEqual([...await y.read()], [3, 5]);
  },

  "run() takes a view into a larger array": async (device) => {
    using line = await loadAffine(device, 2);
    const { y } = line.run({ x: new Float32Array([9, 1, 2, 9]).subarray(1, 3) });
    assert.deepEqual([...await y.read()], [3, 5]);
  },

  "a small result stays valid for 8 runs, then says so": async (device) => {
    using executable = await loadCounter(device);
    const counts = Array.from({ length: 8 }, () => executable.run(by(1)).count);
    assert.deepEqual(await Promise.all(counts.map((count) => count.item())), [1, 2, 3, 4, 5, 6, 7, 8]);
    executable.run(by(1));
    await rejects(
      counts[0]!.item(),
      /"count" can't be used.*result of run 1, and 8 more have followed.*keep\(\)/,
    );
    assert.equal(await counts[1]!.item(), 2);
    refuses(() => executable.run({ by: counts[0]! }), /input "by": the tensor "count" can't be used/);
  },

  "a read that was started in time gets its own run's numbers": async (device) => {
    using executable = await loadCounter(device);
    const early = executable.run(by(1)).count.item();
    for (let k = 0; k < 20; k++) executable.run(by(1));
    assert.equal(await early, 1);
  },

  "a large result stays valid until the next run": async (device) => {
    const n = 20_000;
    using line = await loadAffine(device, n);
    const { y } = line.run({ x: new Float32Array(n).fill(1) });
    const early = y.read();
    const second = line.run({ x: new Float32Array(n).fill(2) });
    assert((await early).every((value) => value === 3));
    assert((await second.y.read()).every((value) => value === 5));
    await rejects(y.read(), /over 64 KiB stays valid until the next run/);
  },

  "keep() outlives later runs and the program": async (device) => {
    const executable = await loadCounter(device);
    const kept = executable.run(by(3)).count.keep();
    for (let k = 0; k < 10; k++) executable.run(by(1));
    executable.dispose();
    assert.equal(await kept.item(), 3);
    kept.dispose();
    await rejects(kept.item(), /it was disposed/);
  },

  "item() refuses a tensor of several elements": async (device) => {
    using executable: Executable = await load(affine([3]), device);
    const y: DeviceTensor = executable.run({ x: new Float32Array(3) }).y!;
    await rejects(y.item(), /"y" of shape \[3\] has 3 elements, not one/);
  },

  "item() lets timers run between steps": async (device) => {
    using executable = await loadCounter(device);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    // On a busy machine a step may take long; where timers starve, no number of steps helps.
    const end = performance.now() + 5000;
    while (ticks <= 5 && performance.now() < end) await executable.run(by(1)).count.item();
    clearInterval(timer);
    assert(ticks > 5, `${ticks} ticks`);
  },

  "profile() times each dispatch and runs once": async (device) => {
    using executable = await loadCounter(device);
    const rows = await executable.profile(by(5));
    assert.deepEqual(rows.map(({ label, kernel, groups }) => [label, kernel, groups]), [
      ["count up", 0, 1],
      ["show", 1, 1],
    ]);
    assert(rows.every(({ ms }) => ms >= 0 && ms < 10_000), JSON.stringify(rows));
    assert.equal(await executable.run(by(1)).count.item(), 6);
  },

  "idle() resolves when all runs are done": async (device) => {
    using executable = await loadCounter(device);
    for (let k = 0; k < 200; k++) executable.run(by(1));
    await executable.idle();
    await device.idle();
    assert.deepEqual(await executable.state.read("count"), new Int32Array([200]));
  },
};

/** After these a device is of no more use. */
const ending: ReadonlySet<string> = new Set(["dispose() of a device ends everything on it"]);

/** Registers the contract's tests for a kind of device. They share one, which a test that fails leaves to nobody. */
export function testContract(kind: string, open: () => Promise<Device>): void {
  let shared: Device | undefined;
  for (const [name, test] of Object.entries({ ...RUN_CONTRACT, ...STATE_CONTRACT })) {
    Deno.test(`${kind}: ${name}`, async () => {
      const device = shared ?? await open();
      shared = undefined;
      try {
        await test(device);
        if (!ending.has(name)) shared = device;
      } finally {
        if (shared === undefined) device.dispose();
      }
    });
  }
  Deno.test(`${kind}: the device that tests shared is disposed`, () => shared?.dispose());
}
