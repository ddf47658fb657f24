/** The lab on the machine's adapter: what is right there departs from nothing, and a planted mistake is named. */

import assert from "node:assert/strict";
import type { Pull } from "../../compiler/graph/op.ts";
import { add, bisect, fuzz, input, matmul, model, openDevice, relu, softmax } from "../../mod.ts";
import { opTable } from "../../ops/define_op.ts";
import { withError } from "../support/plant_error.ts";

const net = model({ x: input(["n", 8], "f32"), w: input([8, 8], "f32") }, ({ x, w }) => {
  return { y: softmax(relu(add(matmul(x, w), 1))) };
});

Deno.test("bisect() finds nothing on the adapter, and there a planted mistake, which JavaScript has too", async () => {
  using device = await openDevice({ device: "webgpu" });
  const fine = await bisect(net, { device, sizes: { n: 5 } });
  assert.equal(fine.finding?.message, undefined);
  assert(fine.checks.results >= 2);
  const op = opTable.get("relu")! as { lower: Pull<unknown> };
  const right = op.lower;
  op.lower = withError(opTable.get("relu")!, 0).lower as Pull<unknown>;
  try {
    const { finding } = await bisect(net, { device, sizes: { n: 5 }, seconds: 2 });
    assert.equal(finding!.node!.op, "relu");
    assert.match(finding!.message, /The same kernels as JavaScript are wrong, too/);
    assert.match(finding!.reproduction!.text, /openDevice\(\{ device: "webgpu" \}\)/);
  } finally {
    op.lower = right;
  }
});

Deno.test("fuzz() tries graphs on the adapter, and none fails", async () => {
  using device = await openDevice({ device: "webgpu" });
  const { graphs, failures } = await fuzz({ device, seconds: 2, seed: 40 });
  assert(graphs > 0);
  assert.deepEqual(failures.map(({ failure }) => failure.message), []);
});
