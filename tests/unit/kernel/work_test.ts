/** Counts of small kernels, done by hand; `tests/whole/work_test.ts` compares those of the schedules with executions. */

import assert from "node:assert/strict";
import { executionsOf } from "../../../compiler/kernel/executions.ts";
import { f32 } from "../../../compiler/kernel/ir.ts";
import { workOfKernel } from "../../../compiler/kernel/work.ts";
import { build, ref } from "../../support/small_kernels.ts";

Deno.test("workOfKernel() counts accesses as executed, places once, and guards where they hold", () => {
  // 10 elements over 3 groups of 4 lanes: two lanes of the last have nothing to do.
  const kernel = build(4, 3, (b) =>
    b.phase(() => {
      const i = b.add(b.mul(b.group, 4), b.lane);
      b.if(b.lt(i, 10), () => {
        const x = b.load(ref("x", "f32", 10), i, 1);
        const w = b.load(ref("w", "f32", 1), b.int(0), 1);
        b.store(ref("y", "f32", 10), i, b.unary("exp", b.binary("mul", x, w)));
      });
    }));
  const { buffers, ...work } = workOfKernel(kernel, { groups: 3, params: [] });
  assert.deepEqual(work, {
    loads: 80,
    stores: 40,
    reads: 44,
    writes: 40,
    flops: 10,
    functions: 10,
    exact: true,
  });
  assert.deepEqual(buffers.map(({ reads, writes }) => [reads, writes]), [[40, 0], [4, 0], [0, 40]]);
});

Deno.test("workOfKernel() counts vectors by their numbers, halves by their bytes, and turns by parameters", () => {
  const kernel = build(1, 1, (b) =>
    b.phase(() => {
      const n = b.param("n", "i32", 5, 0, 8);
      b.for(b.int(0), n, 1, (i) => {
        const x = b.load(ref("x", "f16", 32), b.mul(i, 4), 4);
        b.store(ref("y", "f32", 32), b.mul(i, 4), b.binary("add", b.binary("mul", x, x), x));
      });
    }));
  const work = workOfKernel(kernel, { groups: 1, params: [5] });
  assert.deepEqual([work.loads, work.stores, work.flops], [5 * 8, 5 * 16, 5 * 8]);
  assert.equal(workOfKernel(kernel, { groups: 1, params: [0] }).flops, 0);
});

Deno.test("workOfKernel() takes what a kernel loads of its own stores for no read", () => {
  const y = ref("y", "f32", 4);
  const kernel = build(1, 1, (b) =>
    b.phase(() => {
      b.store(y, b.int(0), b.widen(b.literal("f32", 1), 4));
      const again = b.load(y, b.int(0), 4, true);
      b.store(y, b.int(0), b.binary("add", again, again));
    }));
  const work = workOfKernel(kernel, { groups: 1, params: [] });
  assert.deepEqual([work.loads, work.reads, work.stores, work.writes], [16, 0, 32, 16]);
});

Deno.test("workOfKernel() counts what lanes that combine do: all but one of their pairs", () => {
  const kernel = build(8, 2, (b) => {
    const sum = b.array("lane", f32, 1);
    b.phase(() => b.set(sum, 0, b.load(ref("x", "f32", 16), b.add(b.mul(b.group, 8), b.lane), 1)));
    b.combine("sum", [sum], 4);
    b.phase(() => b.store(ref("y", "f32", 16), b.add(b.mul(b.group, 8), b.lane), b.read(sum, 0)));
  });
  assert.equal(workOfKernel(kernel, { groups: 2, params: [] }).flops, 2 * (8 / 4) * 3);
});

Deno.test("executionsOf() says where data decides, and counts both branches and the most turns then", () => {
  const kernel = build(1, 1, (b) =>
    b.phase(() => {
      const n = b.min(b.load(ref("n", "i32", 1), b.int(0), 1), 6);
      const one = b.literal("f32", 1);
      b.for(b.int(0), n, 1, (i) => b.store(ref("y", "f32", 8), i, b.binary("add", one, one)));
      b.if(b.lt(n, 3), () => b.store(ref("z", "f32", 2), b.int(0), one), () => {
        b.store(ref("z", "f32", 2), b.int(1), one);
      });
    }));
  const work = workOfKernel(kernel, { groups: 1, params: [] });
  assert.deepEqual([work.exact, work.flops, work.stores], [false, 6, 6 * 4 + 2 * 4]);
});

Deno.test("executionsOf() looks at some of very many groups, and takes the others for alike", () => {
  const lanes = 256;
  const groups = 20_000;
  const n = lanes * (groups - 1) + 7;
  const kernel = build(lanes, groups, (b) =>
    b.phase(() => {
      const i = b.add(b.mul(b.group, lanes), b.lane);
      b.if(b.lt(i, n), () => b.store(ref("y", "f32", n), i, b.literal("f32", 1)));
    }));
  const [block] = kernel.body;
  assert(block?.kind === "phase");
  const branch = block.body.find((statement) => statement.kind === "if")!;
  const executions = executionsOf(kernel, { groups, params: [] }, 2 ** 14);
  assert.equal(executions.exact, false);
  assert(Math.abs(executions.of(branch.then) / n - 1) < 0.01, `${executions.of(branch.then)}`);
});

Deno.test("executionsOf() takes groups and lanes that decide nothing for one, however many there are", () => {
  const groups = 60_000;
  const kernel = build(256, groups, (b) =>
    b.phase(() => {
      const at = b.mul(b.add(b.mul(b.group, 256), b.lane), 4);
      b.for(b.int(0), b.param("turns", "i32", 3, 0, 4), 1, () => {
        b.store(ref("y", "f32", 4 * 256 * groups), at, b.widen(b.literal("f32", 1), 4));
      });
    }));
  const { exact, stores } = workOfKernel(kernel, { groups, params: [3] });
  assert.deepEqual([exact, stores], [true, 3 * 16 * 256 * groups]);
});
