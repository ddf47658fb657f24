/** Every sample of every op, fused, on the machine's adapter, against the op's reference. */

import assert from "node:assert/strict";
import { policies } from "../../compiler/compile.ts";
import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import { type Target, testTarget } from "../../compiler/target.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import { openDevice } from "../../runtime/device.ts";
import { load } from "../../runtime/executable.ts";
import { compileCase, complaintOf, sampleCases } from "../support/compile_samples.ts";
import { openTint } from "../support/tint.ts";

const device = await openDevice({ device: "webgpu" });
const tint = await openTint();
// Small kernels compile quickly.
const target: Target = {
  ...testTarget,
  limits: device.target.limits,
  features: device.target.features,
  quirks: device.target.quirks,
};
const options = { features: target.features };
const seen = new Set<string>();

for (const [op, cases] of Map.groupBy(sampleCases(), ({ op }) => op)) {
  const compiled = cases.map((sample) => ({
    sample,
    program: () => compileCase(sample, { target, policy: policies.greedy }).program,
  }));

  Deno.test(`${op}: it runs on the adapter as its reference says, and Tint accepts its kernels`, async () => {
    const complaints = await Promise.all(compiled.map(async ({ sample, program: make }) => {
      const program = make();
      for (const kernel of program.kernels) {
        const wgsl = emitWgsl(kernel, options);
        if (seen.has(wgsl)) continue;
        seen.add(wgsl);
        const complaint = await tint.complaint(wgsl);
        if (complaint !== undefined) return `${complaint}\n${wgsl}`;
      }
      using executable = await load(program, device);
      const feeds = program.inputs.map(({ name, dtype }) => [name, stored(dtype, sample.feeds[name]!)]);
      const tensors = Object.entries(executable.run(Object.fromEntries(feeds)));
      const read = await Promise.all(tensors.map(async ([name, t]) => [name, await t.read()] as const));
      return complaintOf(sample, Object.fromEntries(read));
    }));
    assert.deepEqual(complaints.filter((complaint) => complaint !== undefined), []);
  });
}

function stored(dtype: string, values: ArrayLike<number>): StoredArray {
  if (dtype === "i32") return Int32Array.from(values);
  if (dtype === "u32") return Uint32Array.from(values);
  return dtype === "bool" ? Uint8Array.from(values) : Float32Array.from(values);
}
