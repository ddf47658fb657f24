/** What a gradient does beyond the rules of ops: checkpoints, rules of the user, higher orders. */

import assert from "node:assert/strict";
import {
  add,
  checkpoint,
  customGradient,
  dropout,
  exp,
  gradient,
  input,
  linear,
  matmul,
  model,
  mul,
  relu,
  type Shape,
  sin,
  stopGradient,
  sum,
  tanh,
  type Tensor,
} from "../../../mod.ts";
import { printGraph } from "../../../compiler/graph/print.ts";
import { verifyGraph } from "../../../compiler/graph/verify.ts";
import { assertClose, differentiate, noise } from "../../support/differentiate.ts";
import { runByReference } from "../../support/run_by_reference.ts";

type Row = Tensor<Shape, "f32">;

const gradientOf = (f: (x: Row) => Tensor) =>
  model({ x: input([4], "f32") }, ({ x }) => {
    const y = sum(f(x));
    return { y, g: gradient(y, [x])[0]! };
  });

Deno.test("a checkpoint changes what is kept, never the numbers", () => {
  const f = (x: Row) => tanh(exp(sin(x))) as Row;
  const [plain, kept] = [gradientOf(f), gradientOf((x) => checkpoint(() => f(x)))];
  const x = noise(4);
  assert.deepEqual(
    [...runByReference(kept.graph, { x }).outputs["g"]!],
    [...runByReference(plain.graph, { x }).outputs["g"]!],
  );
  assert.equal(
    kept.graph.nodes.filter((n) => n.instance !== 0).length,
    3,
    "sin, exp and tanh are computed again",
  );
});

Deno.test("copies hang on what came into the checkpoint, and on nothing inside it", () => {
  const { graph } = gradientOf((x) => checkpoint(() => tanh(exp(sin(x)))));
  verifyGraph(graph, "gradient");
  const copies = graph.nodes.filter((n) => n.instance !== 0);
  for (const { inputs } of copies) {
    for (const { node } of inputs) assert.ok(node.instance !== 0 || node.op.name === "input", node.op.name);
  }
  assert.match(printGraph(graph), /sin %0 instance=\d+/);
});

Deno.test("a checkpoint in a checkpoint is recomputed from a recomputed outer one", () => {
  const f = (x: Row) => checkpoint(() => exp(checkpoint(() => tanh(sin(exp(x))))) as Row);
  const { graph } = gradientOf(f);
  const names = (instance: number) =>
    graph.nodes.filter((n) => n.instance === instance).map((n) => n.op.name);
  const instances = [...new Set(graph.nodes.map((n) => n.instance))].filter((n) => n !== 0);
  assert.equal(instances.length, 2);
  assert.deepEqual(instances.map((n) => names(n).join()).sort(), ["exp,sin,tanh", "exp,sin,tanh,exp"].sort());
  differentiate((x) => sum(f(x)), noise(4));
});

Deno.test("dropout in a checkpoint drops the same elements when it is recomputed", () => {
  const net = gradientOf((x) => checkpoint(() => mul(dropout(exp(x), 0.5), x)));
  const { outputs } = runByReference(net.graph, { x: [1, 1, 1, 1] }, { seed: 3 });
  const y = runByReference(
    model({ x: input([4], "f32") }, ({ x }) => ({ y: mul(dropout(exp(x), 0.5), x) })).graph,
    {
      x: [1, 1, 1, 1],
    },
    { seed: 3 },
  );
  // d(2e^x·x) = 2e^x(x + 1) where kept, 0 where dropped.
  assertClose(outputs["g"]!, [...y.outputs["y"]!].map((v) => v * 2));
});

Deno.test("thousands of layers, in a checkpoint or not, do not overflow the stack", () => {
  const chain = (x: Row): Row => {
    let y = x;
    for (let i = 0; i < 2000; i++) y = sin(y);
    return y;
  };
  assert.ok(gradientOf(chain).graph.nodes.length > 4_000);
  assert.ok(gradientOf((x) => checkpoint(() => chain(x))).graph.nodes.length > 6_000);
});

Deno.test("parameters made in a checkpoint are not copied", () => {
  const net = model({ x: input([2, 3], "f32") }, ({ x }) => {
    const loss = sum(checkpoint(() => relu(linear(3, 2)(x))));
    return { g: gradient(loss, [x])[0]! };
  });
  assert.equal(net.graph.nodes.filter((n) => n.op.name === "state" && n.instance !== 0).length, 0);
});

Deno.test("customGradient() uses the user's rule, and its own ops are not asked", () => {
  const net = gradientOf((x) => {
    const [y] = customGradient(
      [x],
      ([x]) => [mul(x!, 10)],
      ({ inputs: [x], cotangents: [g] }) => [mul(g!, x!)],
    );
    return y!;
  });
  const { outputs } = runByReference(net.graph, { x: [1, 2, 3, 4] });
  assert.deepEqual([...outputs["g"]!], [1, 2, 3, 4]);
  assert.deepEqual([...outputs["y"]!], [100]);
  assert.doesNotMatch(printGraph(net.graph), /customGradient/);
});

Deno.test("stopGradient() makes a constant of its operand", () => {
  const net = gradientOf((x) => mul(x, stopGradient(x)));
  assert.deepEqual([...runByReference(net.graph, { x: [1, 2, 3, 4] }).outputs["g"]!], [1, 2, 3, 4]);
});

Deno.test("a gradient of a gradient is the second derivative", () => {
  const net = model({ x: input([3], "f32") }, ({ x }) => {
    const [first] = gradient(sum(sin(x)), [x]);
    return { second: gradient(sum(first!), [x])[0]! };
  });
  const x = noise(3);
  assertClose(runByReference(net.graph, { x }).outputs["second"]!, x.map((v) => -Math.sin(v)));
});

Deno.test("what y does not depend on has a gradient of zeros", () => {
  const net = model({ x: input([2], "f32"), z: input([2, 2], "f32") }, ({ x, z }) => {
    const [g] = gradient(sum(add(x, 1)), [z]);
    return { g: g!, used: matmul(z, z) };
  });
  assert.deepEqual([...runByReference(net.graph, { x: [1, 2], z: [1, 2, 3, 4] }).outputs["g"]!], [
    0,
    0,
    0,
    0,
  ]);
});
