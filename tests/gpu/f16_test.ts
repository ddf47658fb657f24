/** f16 on the adapter: as 16-bit storage where it has that, and in pairs, as on adapters that lack it. */

import assert from "node:assert/strict";
import { policies } from "../../compiler/compile.ts";
import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import { testTarget } from "../../compiler/target.ts";
import {
  add,
  compile,
  concat,
  type Device,
  init,
  input,
  model,
  mul,
  openDevice,
  setState,
  slice,
  state,
} from "../../mod.ts";
import { openAdapter } from "../../runtime/adapter.ts";
import { load } from "../../runtime/executable.ts";
import { quirksOf } from "../../runtime/quirks.ts";
import { compileCase, complaintOf } from "../support/compile_samples.ts";
import { halfSampleCases, halvesToTrainOn, oddHalves, trainedHalves } from "../support/half_cases.ts";
import { openTint } from "../support/tint.ts";

const opened = await openAdapter();
const quirks = await quirksOf(opened);
opened.device.destroy();
const tint = await openTint();

const asIfWithout = { ...quirks, f16: { ...quirks.f16, ok: false } };
const kinds = opened.adapter.features.includes("shader-f16")
  ? { "in 16 bits": quirks, "in pairs": asIfWithout }
  : { "in pairs": asIfWithout };

for (const [kind, profile] of Object.entries(kinds)) {
  Deno.test(`halves ${kind}: rows of odd length are cut, joined, summed and multiplied`, async () => {
    using device = await openDevice({ device: "webgpu", quirks: profile });
    assert.equal(device.target.features.f16, kind === "in 16 bits");
    const sample = oddHalves();
    const target = { ...testTarget, features: device.target.features, limits: device.target.limits };
    const { program } = compileCase(sample, { target, policy: policies.greedy });
    for (const kernel of program.kernels) {
      const wgsl = emitWgsl(kernel, target);
      assert.equal(await tint.complaint(wgsl), undefined, wgsl);
    }
    using executable = await load(program, device);
    const feeds = program.inputs.map(({ name, dtype }) => {
      const numbers = sample.feeds[name]!;
      return [name, dtype === "i32" ? Int32Array.from(numbers) : Float32Array.from(numbers)] as const;
    });
    const results = Object.entries(executable.run(Object.fromEntries(feeds)));
    const read = await Promise.all(results.map(async ([name, t]) => [name, await t.read()] as const));
    assert.equal(complaintOf(sample, Object.fromEntries(read)), undefined);
  });

  Deno.test(`halves ${kind}: a state of odd size is updated in place; NaN, infinity and overflow are kept`, async () => {
    const net = model({ x: input([7], "f16") }, ({ x }) => {
      const average = state("average", [7], init.zeros(), "f16");
      const next = add(mul(average, 0.5), x);
      setState(average, next);
      return { joined: concat([slice(next, [{ stop: 3 }]), x], 0), large: mul(x, 60000) };
    });
    using device = await openDevice({ device: "webgpu", quirks: profile });
    using run = await compile(net, { device });
    const x = Float32Array.from([1, 2, -3, NaN, Infinity, 6, 7]);
    run.run({ x });
    const { joined, large } = run.run({ x });
    assert.deepEqual([...await joined.read()], [1.5, 3, -4.5, 1, 2, -3, NaN, Infinity, 6, 7]);
    assert.deepEqual([...await run.state.read("average")], [1.5, 3, -4.5, NaN, Infinity, 9, 10.5]);
    // SEMANTICS §6: "f32→f16 … overflow → ∞".
    const inf = Infinity;
    assert.deepEqual([...await large.read()], [60000, inf, -inf, NaN, inf, inf, inf]);
  });

  Deno.test(`halves ${kind}: parameters of f16 are trained as on the CPU`, async () => {
    const losses = async (device: Device): Promise<number[]> => {
      using run = await compile(trainedHalves(), { device, sizes: { batch: 3 } });
      const found: number[] = [];
      for (let step = 0; step < 5; step++) found.push(await run.run(halvesToTrainOn).loss.item());
      return found;
    };
    using gpu = await openDevice({ device: "webgpu", quirks: profile });
    using cpu = await openDevice({ device: "cpu" });
    const [got, want] = [await losses(gpu), await losses(cpu)];
    // A half is 11 bits; the steps of Adam depend on signs more than on sizes.
    want.forEach((loss, step) => assert.ok(Math.abs(got[step]! - loss) <= 2e-3 * loss, `${got} and ${want}`));
    assert.ok(want[4]! < want[0]!);
  });
}

Deno.test("Tint accepts the kernels of every op with halves in pairs", async () => {
  const seen = new Set<string>();
  for (const sample of halfSampleCases()) {
    for (
      const kernel of compileCase(sample, { target: testTarget, policy: policies.greedy }).program.kernels
    ) {
      const wgsl = emitWgsl(kernel, testTarget);
      if (seen.has(wgsl)) continue;
      seen.add(wgsl);
      assert.equal(await tint.complaint(wgsl), undefined, `${sample.text}\n${wgsl}`);
    }
  }
  assert.ok(seen.size > 300, `${seen.size} kernels`);
});
