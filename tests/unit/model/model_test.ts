import assert from "node:assert/strict";
import {
  add,
  applyNamed,
  dropout,
  init,
  input,
  linear,
  matmul,
  model,
  mul,
  named,
  nn,
  parameter,
  reshape,
  setState,
  sgd,
  type Shape,
  state,
  stopGradient,
  sum,
  type Tensor,
  trainStep,
  whenTraining,
} from "../../../mod.ts";

import { bindSizes } from "../../../compiler/graph/bind.ts";
import { printGraph } from "../../../compiler/graph/print.ts";
import { rewriteGraph } from "../../../compiler/graph/rewrite.ts";
import { verifyGraph } from "../../../compiler/graph/verify.ts";
import { runByReference } from "../../support/run_by_reference.ts";

const paths = (m: { readonly states: readonly { readonly path: string }[] }) => m.states.map((s) => s.path);

Deno.test("model() traces its function once and prints as text", () => {
  let traced = 0;
  const net = model({ x: input(["batch", 3], "f32") }, ({ x }) => {
    traced++;
    return { y: linear(3, 2)(x) };
  });
  assert.equal(traced, 1);
  assert.equal(
    printGraph(net.graph),
    `\
%0 = input name=x : f32[batch, 3]
%1 = state path=linear/weight role=parameter : f32[3, 2]  # linear
%2 = state path=linear/bias role=parameter : f32[2]  # linear
%3 = matmul %0 %1 : f32[batch, 2]  # linear
%4 = broadcastTo %2 : f32[batch, 2]  # linear
%5 = add %3 %4 : f32[batch, 2]  # linear
return y=%5
`,
  );
  verifyGraph(net.graph, "model");
});

Deno.test("layers number themselves within their scope, and names lead the path", () => {
  const net = model({ x: input([4], "f32") }, ({ x }) => {
    const top = linear(4, 4);
    const inner = named("block0", () => {
      const first = linear(4, 4),
        second = linear(4, 4, { bias: false }),
        own = linear(4, 4, { name: "head" });
      return own(second(first(top(x))));
    });
    return { y: inner };
  });
  assert.deepEqual(paths(net), [
    "linear/weight",
    "linear/bias",
    "block0/linear/weight",
    "block0/linear/bias",
    "block0/linear_1/weight",
    "block0/head/weight",
    "block0/head/bias",
  ]);
});

Deno.test("only() keeps what its outputs need, without() drops inputs they do not need", () => {
  const net = model({ x: input([2], "f32"), y: input([2], "f32") }, ({ x, y }) => ({
    a: mul(x, parameter("a", [2], init.ones())),
    b: mul(y, parameter("b", [2], init.ones())),
  }));
  const a = net.only("a").without("y");
  assert.deepEqual(paths(a), ["a"]);
  assert.deepEqual(a.graph.inputs.map((t) => t.node.attrs.name), ["x"]);
  assert.deepEqual(Object.keys(net.outputs), ["a", "b"], "the model itself stays as it is");
});

Deno.test("rename() replaces sizes everywhere, also where they swap", () => {
  const net = model({ x: input(["a", "b"], "f32") }, ({ x }) => ({ flat: reshape(x, [-1]), x }));
  const renamed = net.rename({ a: "b", b: "a" });
  assert.deepEqual(renamed.inputs.x.shape, ["b", "a"]);
  assert.deepEqual(renamed.outputs.x.shape, ["b", "a"]);
  assert.deepEqual(renamed.outputs.flat.shape, ["a*b"]);
  assert.deepEqual(net.rename({ b: 3 }).outputs.flat.shape, ["3*a"]);
});

Deno.test("bindSizes() replaces names by numbers, and keeps lines, scopes and names", () => {
  const net = model({ x: input(["batch", "seq"], "f32") }, ({ x }) => ({
    y: named("inner", () => reshape(x, ["seq", -1])),
  }));
  const bound = bindSizes(net.graph, { batch: 4, seq: 6 });
  assert.deepEqual(bound.outputs["y"]!.shape, [6, 4]);
  const node = bound.outputs["y"]!.node;
  assert.equal(bound.builder.scopes.get(node), "inner");
  assert.match(bound.builder.originsOf(node)[0]!.file, /model_test\.ts$/);
});

Deno.test("rewriteGraph() without a rewriter gives the same graph again", () => {
  const net = model({ x: input(["batch", 3], "f32") }, ({ x }) => ({ y: nn.layerNorm(3)(x) }));
  assert.equal(printGraph(rewriteGraph(net.graph)), printGraph(net.graph));
});

Deno.test("a state is read as it was before the run, and written once", () => {
  const net = model({}, () => {
    const runs = state("runs", [], init.zeros(), "i32");
    setState(runs, add(runs, 1));
    return { runs };
  });
  const first = runByReference(net.graph, {});
  assert.deepEqual([...first.outputs["runs"]!, ...first.states["runs"]!], [0, 1]);
  const second = runByReference(net.graph, {}, { states: first.states });
  assert.deepEqual([...second.outputs["runs"]!, ...second.states["runs"]!], [1, 2]);
});

Deno.test("whenTraining() takes the one branch in training and the other elsewhere; the rest is not there", () => {
  const net = model({ x: input([2], "f32") }, ({ x }) => {
    const seen = state("seen", [2], init.zeros());
    setState(seen, whenTraining(add(seen, x), seen));
    return { y: whenTraining(mul(x, parameter("only", [2], init.ones())), x) };
  });
  assert.equal(printGraph(net.graph), "%0 = input name=x : f32[2]\nreturn y=%0\n");
  const training = runByReference(net.inTraining().graph, { x: [3, 4] });
  assert.deepEqual([...training.states["seen"]!], [3, 4]);
});

Deno.test("dropout drops in training only, and then the graph has a random key that advances", () => {
  const net = model({ x: input([64], "f32") }, ({ x }) => ({ y: nn.dropout(0.5)(x) }));
  const x = Array<number>(64).fill(1);
  assert.deepEqual([...runByReference(net.graph, { x }).outputs["y"]!], x);
  assert.equal(net.graph.states.length, 0);
  const { outputs, states } = runByReference(net.inTraining().graph, { x }, { seed: 7 });
  const kept = [...outputs["y"]!];
  assert.ok(kept.every((v) => v === 0 || v === 2) && new Set(kept).size === 2);
  assert.deepEqual([...states["random/key"]!], [7, 1]);
});

Deno.test("a graph that draws numbers in inference declares its key too", () => {
  const net = model({ x: input([8], "f32") }, ({ x }) => ({ y: dropout(x, 0.5) }));
  assert.deepEqual(net.graph.states.map((s) => s.path), ["random/key"]);
  assert.equal(net.graph.writes.length, 1);
});

Deno.test("stopGradient() and its kin are gone from the graph that is compiled", () => {
  const net = model({ x: input([2], "f32") }, ({ x }) => ({ y: stopGradient(mul(x, 2)) }));
  assert.doesNotMatch(printGraph(net.graph), /stopGradient/);
});

Deno.test("trainStep() leaves its model alone: two optimizers, one model", () => {
  const net = model({ x: input([2, 3], "f32") }, ({ x }) => ({ loss: sum(linear(3, 1)(x)) }));
  const before = printGraph(net.graph);
  trainStep(net, sgd({ rate: 0.1, momentum: 0.9 }));
  const again = trainStep(net, sgd({ rate: 0.1, momentum: 0.9 }));
  assert.equal(printGraph(net.graph), before);
  assert.ok(paths(again).includes("sgd/velocity/linear/weight"));
});

Deno.test("only the parameters asked for are trained", () => {
  const net = model({ x: input([2, 3], "f32") }, ({ x }) => {
    const frozen = linear(3, 3, { name: "frozen" }), head = linear(3, 1, { name: "head" });
    return { loss: sum(head(frozen(x))) };
  });
  const step = trainStep(net, sgd({ rate: 0.1 }), { train: (path) => path.startsWith("head/") });
  assert.deepEqual(step.writes.map((w) => w.state.node.attrs.path), ["head/weight", "head/bias", "sgd/step"]);
});

Deno.test("models may be traced inside functions of shapes that nobody knows", () => {
  const twice = (x: Tensor<Shape, "f32">) => matmul(x, x);
  const net = model({ x: input([3, 3], "f32") }, ({ x }) => ({ y: twice(x) }));
  assert.deepEqual(net.outputs.y.shape, [3, 3]);
});

Deno.test("applyNamed() makes the node that an op's function makes, and says where there is no such op", () => {
  model({ x: input([4, 3], "f32") }, ({ x }) => {
    const [y] = applyNamed("sum", [x], { axes: [1] });
    assert.equal(y!.node, sum(x, 1).node);
    assert.throws(
      () => applyNamed("Sum", [x], { axes: [1] }),
      /applyNamed: there is no op "Sum"; there is "sum"/,
    );
    return { y: y! };
  });
});
