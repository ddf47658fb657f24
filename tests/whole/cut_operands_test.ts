/** Ops of more operands than a kernel may bind: they are cut where no plan could do without, and nowhere else. */

import assert from "node:assert/strict";
import { compileGraph, policies } from "../../compiler/compile.ts";
import { cutOperands, overfullNodes } from "../../compiler/fuse/cut_operands.ts";
import { defaultLimits, testTarget } from "../../compiler/target.ts";
import { concat, exp, input, matmul, model, openDevice, sliceAxis, type Tensor } from "../../mod.ts";
import { judge } from "../../runtime/lab/judge.ts";
import { dataFor } from "../../runtime/lab/made_data.ts";

const parts = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`x${i}`, input([3, i + 1], "f32")]));

const joined = (count: number, of: (x: Tensor) => Tensor = (x) => x) =>
  model(parts(count), (xs) => ({ y: concat(Object.values(xs).map((x) => of(x as Tensor)), 1) as Tensor }));

Deno.test("a concat of more tensors than a kernel binds is computed, whatever fuses and however few it binds", async () => {
  using device = await openDevice({ device: "cpu" });
  for (const net of [joined(12), joined(12, exp as (x: Tensor) => Tensor), joined(40)]) {
    const { graph } = net;
    const plain = compileGraph(graph, { target: device.target, policy: policies.none });
    const c = { graph, ...dataFor(plain) };
    for (const storageBuffers of [8, 4]) {
      const target = { ...testTarget, limits: { ...defaultLimits, storageBuffers } };
      for (const name of ["none", "greedy", "max"] as const) {
        const { failure } = await judge(c, { target, policy: policies[name] }, device);
        assert.equal(failure, undefined, `${name}, ${storageBuffers} buffers: ${failure?.message}`);
      }
    }
  }
});

Deno.test("overfullNodes() leaves alone what one kernel can bind, and what is born in its place", () => {
  assert.equal(overfullNodes(joined(7).graph, 8).size, 0);
  assert.equal(overfullNodes(joined(8).graph, 8).size, 1);
  const slices = model({ x: input([3, 40], "f32") }, ({ x }) => ({
    y: concat(Array.from({ length: 20 }, (_, i) => sliceAxis(x, 1, { start: 2 * i, stop: 2 * i + 1 })), 1),
  }));
  assert.equal(overfullNodes(slices.graph, 8).size, 0, "one buffer is read");
  const products = (count: number, used = false) =>
    model(
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`w${i}`, input([4, 4], "f32")])),
      (ws) => {
        const all = Object.values(ws).map((w) => matmul(w, w));
        return { y: concat(all, 1) as Tensor, ...used && { z: exp(all[0]!) as Tensor } };
      },
    );
  assert.equal(overfullNodes(products(9).graph, 8).size, 0, "all are results that nobody else reads");
  assert.equal(overfullNodes(products(9, true).graph, 8).size, 1);
});

Deno.test("cutOperands() makes trees of as many operands as there are buffers left", () => {
  const { graph } = joined(20);
  const cut = cutOperands(graph, overfullNodes(graph, 4), 4);
  const operands = cut.nodes.filter(({ op }) => op.name === "concat").map(({ inputs }) => inputs.length);
  // 20 are 7 parts, 7 parts are 3.
  assert.deepEqual(operands, [3, 3, 3, 3, 3, 3, 2, 3, 3, 3]);
});
