import assert from "node:assert/strict";
import { sharedLoads } from "../../../compiler/emit/shared_loads.ts";
import { emitWgsl } from "../../../compiler/emit/wgsl.ts";
import { IrBuilder } from "../../../compiler/kernel/build.ts";
import type { Instr, Kernel } from "../../../compiler/kernel/ir.ts";

const x = { name: "x", dtype: "f32", size: 4096 } as const;
const y = { name: "y", dtype: "f32", size: 4096 } as const;

/** A kernel of 8 lanes that adds up what it loads; `place` gives the indices. */
function summing(places: (b: IrBuilder) => readonly Instr[], width: 1 | 4 = 4): Kernel {
  const b = new IrBuilder(8);
  b.phase(() => {
    const sum = places(b).map((at) => b.load(x, at, width)).reduce((s, v) => b.add(s, v));
    b.store(y, b.mul(b.add(b.mul(b.group, 8), b.lane), width), sum);
  });
  return b.finish(4).kernel;
}

/** Sizes of the groups that loads come in. */
function groupsOf(kernel: Kernel): readonly number[] {
  const groups = new Set([...sharedLoads(kernel).values()].map(({ group }) => group));
  return [...groups].map(({ count }) => count);
}

const row = (b: IrBuilder, count: number, step: number) =>
  Array.from({ length: count }, (_, i) => b.add(b.mul(b.group, 256), i * step));

Deno.test("sharedLoads() groups loads a step apart, as many as there are lanes at most", () => {
  assert.deepEqual(groupsOf(summing((b) => row(b, 4, 4))), [4]);
  assert.deepEqual(groupsOf(summing((b) => row(b, 16, 4))), [8, 8]);
  assert.deepEqual(groupsOf(summing((b) => row(b, 3, 64))), [3]);
  assert.deepEqual(groupsOf(summing((b) => row(b, 5, 3), 1)), [5]);
});

Deno.test("sharedLoads() groups loads that are all held to their buffer's end, and lanes hold theirs to it too", () => {
  const held = (b: IrBuilder, most: (i: number) => number) => row(b, 4, 4).map((at, i) => b.min(at, most(i)));
  const kernel = summing((b) => held(b, () => 4092));
  assert.deepEqual(groupsOf(kernel), [4]);
  const code = emitWgsl(kernel, { features: { f16: false, subgroups: true }, broadcast: 8 });
  assert.match(code, /let w0_at = min\(.* \+ min\(lane, 3i\) \* 4i, 4092i\);/);
  assert.deepEqual(groupsOf(summing((b) => held(b, (i) => 4092 - 4 * i))), []);
});

Deno.test("sharedLoads() leaves a load alone that has no neighbor a step away", () => {
  assert.deepEqual(groupsOf(summing((b) => row(b, 1, 4))), []);
  const uneven = (b: IrBuilder) => [0, 4, 8, 20, 24].map((at) => b.add(b.mul(b.group, 256), at));
  assert.deepEqual(groupsOf(summing(uneven)), [3, 2]);
});

Deno.test("sharedLoads() leaves loads alone that differ between lanes", () => {
  const own = (b: IrBuilder) => [0, 4].map((at) => b.add(b.mul(b.lane, 16), at));
  assert.deepEqual(groupsOf(summing(own)), []);
});

/** Two loads inside a loop that `bound` ends. */
function looping(bound: (b: IrBuilder) => Instr): Kernel {
  const b = new IrBuilder(8);
  b.phase(() => {
    b.for(b.int(0), bound(b), 1, (turn) => {
      const [p, q] = [0, 4].map((at) => b.load(x, b.add(b.mul(turn, 8), at), 4));
      b.store(y, b.mul(b.add(b.mul(b.group, 8), b.lane), 4), b.add(p!, q!));
    });
  });
  return b.finish(4).kernel;
}

Deno.test("sharedLoads() looks into loops that all lanes walk through together, and into no others", () => {
  assert.deepEqual(groupsOf(looping((b) => b.add(b.group, 1))), [2]);
  assert.deepEqual(groupsOf(looping((b) => b.add(b.lane, 1))), []);
});

Deno.test("sharedLoads() leaves buffers alone that the kernel writes", () => {
  const b = new IrBuilder(8);
  b.phase(() => {
    const [p, q] = [0, 4].map((at) => b.load(y, b.int(at), 4));
    b.store(y, b.add(b.mul(b.lane, 4), 64), b.add(p!, q!));
  });
  assert.deepEqual(groupsOf(b.finish(1).kernel), []);
});

Deno.test("emitWgsl() broadcasts shared loads where lanes are no more than may broadcast", () => {
  const kernel = summing((b) => row(b, 4, 4));
  const features = { f16: false, subgroups: true };
  const handed = emitWgsl(kernel, { features, broadcast: 8 });
  assert.match(handed, /let w0_at = v0 \+ min\(lane, 3i\) \* 4i;\n\s*let w0 = b0\[w0_at >> 2u\];/);
  assert.equal(handed.match(/subgroupBroadcast\(w0, [0123]u\)/g)!.length, 4);
  assert.equal(handed.match(/= b0\[/g)!.length, 1);
  for (const broadcast of [0, 4]) {
    for (const subgroupLanes of [false, true]) {
      assert.doesNotMatch(emitWgsl(kernel, { features, broadcast, subgroupLanes }), /subgroup/);
    }
  }
});

Deno.test("emitWgsl() numbers lanes by their subgroup, and says so, where nobody has probed the device", () => {
  const kernel = summing((b) => row(b, 4, 4));
  const features = { f16: false, subgroups: true };
  const [known, any] = [false, true].map((subgroupLanes) =>
    emitWgsl(kernel, { features, broadcast: 8, subgroupLanes })
  );
  assert.match(any!, /^enable subgroups;\n\n/);
  assert.match(any!, /@builtin\(subgroup_invocation_id\) lid: u32/);
  const same = any!.replace("enable subgroups;\n\n", "").replace(
    "subgroup_invocation_id",
    "local_invocation_index",
  );
  assert.equal(same, known);
});
