/** Attention in plain ops, through models and training steps: what is compiled, and what a report says of it. */

import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { gpuTarget, softwareTarget, type Target } from "../../../compiler/target.ts";
import {
  attention,
  compile,
  gradient,
  init,
  input,
  matmul,
  mean,
  type Model,
  model,
  mul,
  openDevice,
  parameter,
  sgd,
  type Shape,
  softmax,
  square,
  sum,
  type Tensor,
  trainStep,
  transpose,
} from "../../../mod.ts";

type F = Tensor<Shape, "f32">;

/** Prime, and larger than every other axis: nothing else in the plan is as large as L². */
const L = 127;
const types = { x: input([2, L, 8] as Shape, "f32") };

const weights = (q: F, k: F): F => softmax(mul(matmul(q, transpose(k)), 0.25) as F) as F;
const plain = (q: F, k: F, v: F): F => matmul(weights(q, k), v) as F;

/** Projections that are trained, around attention in the form given. */
function projected(form: (q: F, k: F, v: F) => F) {
  return model(types, ({ x }) => {
    const [q, k, v] = ["q", "k", "v"].map((name) =>
      matmul(x as F, parameter(name, [8, 8], init.normal(0.5))) as F
    );
    return { loss: mean(square(form(q!, k!, v!))) as Tensor<readonly [], "f32"> };
  });
}

/** Elements of the largest temporary that a plan keeps. */
function largestTemporary(net: Model, target: Target): number {
  const { lifetimes } = compileGraph(net.graph, { target });
  return Math.max(...lifetimes.map(({ bytes }) => bytes / 4));
}

const steps = {
  "the op": (q: F, k: F, v: F) => attention(q, k, v, { scale: 0.25 }) as F,
  "the plain form": plain,
};

for (const [name, form] of Object.entries(steps)) {
  for (const target of [softwareTarget, gpuTarget]) {
    Deno.test(`${name} of a prime length keeps no temporary of L²/4 elements, forward and backward (${target.name})`, () => {
      const step = trainStep(projected(form), sgd({ rate: 0.1 }));
      const largest = largestTemporary(step, target);
      assert.ok(largest < L * L / 4, `${largest} elements, and L²/4 is ${L * L / 4}`);
    });
  }
}

Deno.test("attention that stays plain does keep L² elements: the limit above can be exceeded", () => {
  const net = model(types, ({ x }) => {
    const q = x as F;
    const loss = sum(plain(q, q, q)) as Tensor<readonly [], "f32">;
    return { g: gradient(loss, [x])[0]! };
  });
  assert.ok(largestTemporary(net, softwareTarget) >= L * L / 4);
});

Deno.test("a model for inference is compiled with the op in the place of the plain form", () => {
  const net = model(types, ({ x }) => ({ y: plain(x as F, x as F, x as F) }));
  const names = net.graph.nodes.map((node) => node.op.name);
  assert.ok(names.includes("attention") && !names.includes("exp"), names.join());
});

Deno.test("a report says where plain attention became the op, in a training step too", async () => {
  using device = await openDevice({ device: "cpu" });
  using step = await compile(trainStep(projected(plain), sgd({ rate: 0.1 })), { device });
  assert.match(step.report(), /became attention: its weights of 2 × 127 × 127 are never stored/);
});

Deno.test("a near miss stays plain, and the report says why", async () => {
  using device = await openDevice({ device: "cpu" });
  const net = model({ x: input(["batch", 5, 4], "f32") }, ({ x }) => {
    const p = weights(x as F, x as F);
    return { p, y: matmul(p, x as F) };
  });
  assert.ok(!net.graph.nodes.some((node) => node.op.name === "attention"));
  using run = await compile(net, { device, sizes: { batch: 2 } });
  assert.match(run.report(), /stayed plain: its div of batch × 5 × 5 is an output/);
});

Deno.test("a gradient that a model takes itself reads the weights: they stay, and the report says so", () => {
  const net = model(types, ({ x }) => {
    const loss = sum(plain(x as F, x as F, x as F)) as Tensor<readonly [], "f32">;
    return { loss, g: gradient(loss, [x])[0]! };
  });
  assert.match(net.rewrites.join("\n"), /stayed plain: its .* also goes into/);
});

Deno.test("the parameters of a model in plain form are trained as those of the op", async () => {
  using device = await openDevice({ device: "cpu" });
  const x = Float32Array.from({ length: 2 * L * 8 }, (_, i) => Math.sin(i * i));
  const losses = await Promise.all(
    Object.values(steps).map(async (form) => {
      using step = await compile(trainStep(projected(form), sgd({ rate: 1 })), { device, seed: 3 });
      await step.run({ x }).loss.item();
      return await step.run({ x }).loss.item();
    }),
  );
  assert.ok(Math.abs(losses[0]! - losses[1]!) < 1e-5 * Math.abs(losses[0]!), losses.join());
});
