/** Sizes that are left open: which models allow it, and that their rows have nothing to do with each other. */

import assert from "node:assert/strict";
import { checkOpenSize } from "../../../compiler/bundle/open_size.ts";
import { compileGraph } from "../../../compiler/compile.ts";
import { bindSizes } from "../../../compiler/graph/bind.ts";
import { testTarget } from "../../../compiler/target.ts";
import { gpt } from "../../../examples/gpt.ts";
import { digits } from "../../../examples/pages/models.ts";
import {
  add,
  cast,
  concat,
  cumsum,
  flip,
  init,
  input,
  iota,
  matmul,
  mean,
  type Model,
  model,
  mul,
  pad,
  reshape,
  roll,
  setState,
  type Shape,
  slice,
  softmax,
  sort,
  state,
  sum,
  type Tensor,
  transpose,
  uniform,
} from "../../../mod.ts";
import { buildBundle } from "../../../runtime/bundle/build.ts";
import { cnn, mlp, mlpStep } from "../../support/bundle_models.ts";
import { randomOf } from "../../support/random.ts";
import { HostRun } from "../../support/run_program.ts";

type X = Tensor<readonly ["batch", 4], "f32">;
const of = (f: (x: X) => Tensor<Shape>): Model =>
  model({ x: input(["batch", 4], "f32") }, ({ x }) => ({ y: f(x) }));
const words = gpt({ layers: 1, heads: 2, width: 8, context: 4, symbols: 5 }).only("logits").without(
  "targets",
);

const allowed: Readonly<Record<string, Model>> = {
  "an MLP": mlp as never,
  "a CNN": cnn as never,
  "padded convolutions": digits as never,
  "a GPT": words as never,
  "softmax of rows": of((x) => softmax(x)),
  "rows split in two and put together": of((x) => reshape(mul(reshape(x, [-1, 2]), 2), ["batch", 4])),
  "a row's own number": of((x) => add(x, cast(iota(["batch", 4], 0), "f32"))),
  "random numbers": of((x) => add(x, uniform(x.shape))),
  "running sums within a row": of((x) => cumsum(x, 1)),
  "rows turned around": of((x) => flip(x, 1)),
};

for (const [name, net] of Object.entries(allowed)) {
  Deno.test(`${name}: rows beyond those that are fed change nothing, whatever they hold`, () => {
    checkOpenSize(bindSizes(net.graph, {}, ["batch"]), "batch");
    const most = 5;
    const run = (batch: number, filled: number) => {
      const { program } = compileGraph(net.graph, { target: testTarget, sizes: { batch } });
      const host = new HostRun(program);
      for (const { path, tensor, initializer } of net.graph.states) {
        host.setState(
          path,
          initializer({ shape: tensor.shape as number[], dtype: tensor.dtype, seed: 1, path }),
        );
      }
      const feeds = program.inputs.map(({ name, shape, dtype }) => {
        const random = randomOf(9);
        const row = shape.slice(1).reduce((n, d) => n * d, 1);
        const poison = dtype === "f32" ? NaN : 0;
        const values = Array.from({ length: batch * row }, (_, i) => {
          const x = dtype === "f32" ? random() : Math.floor(5 * random());
          return i < filled * row ? x : poison;
        });
        return [name, values] as const;
      });
      return host.run(Object.fromEntries(feeds));
    };
    for (const filled of [1, 3]) {
      const [whole, part] = [run(most, filled), run(filled, filled)];
      for (const [output, wanted] of Object.entries(part)) {
        wanted.forEach((x, i) =>
          assert(Math.abs(whole[output]![i]! - x) <= 1e-5, `${output}[${i}]: ${whole[output]![i]} for ${x}`)
        );
      }
    }
  });
}

const refused: readonly (readonly [string, Model, RegExp])[] = [
  ["a loss", mlpStep as never, /sizeOf computes something else for another "batch"/],
  ["a mean over rows", of((x) => mean(x, 0)), /computes something else|other than its own/],
  ["a sum over rows", of((x) => sum(x, 0)), /sum reads rows of "batch" other than its own/],
  ["a softmax over rows", of((x) => softmax(x, 0)), /other than its own/],
  ["running sums over rows", of((x) => cumsum(x, 0)), /other than its own|computes something else/],
  ["neighbors", of((x) => roll(x, 1, 0)), /roll reads rows of "batch" other than its own/],
  ["rows turned around", of((x) => flip(x, 0)), /other than its own|computes something else/],
  ["rows below rows", of((x) => concat([x, x], 0)), /other than its own|computes something else/],
  ["rows moved down", of((x) => pad(x, [[1, 0], [0, 0]])), /leading axis is not|other than its own/],
  ["one row for all", of((x) => add(x, slice(x, [{ start: 0, stop: 1 }]))), /other than its own/],
  ["columns", of((x) => transpose(x)), /leading axis is not "batch"/],
  ["products of rows", of((x) => matmul(x, transpose(x))), /leading axis is not "batch"/],
  [
    "sorting",
    of((x) => sort(x)),
    /sort is a program of kernels, of which nobody knows whether it mixes rows/,
  ],
  [
    "a state of rows",
    model({ x: input(["batch"], "f32") }, ({ x }) => {
      const last = state("last", ["batch"], init.zeros());
      setState(last, x);
      return { y: last };
    }),
    /state stays from run to run/,
  ],
];
for (const [name, net, message] of refused) {
  Deno.test(`${name} can't be left open, and the error says why and where`, () => {
    assert.throws(() => checkOpenSize(bindSizes(net.graph, {}, ["batch"]), "batch"), (error: Error) => {
      assert.match(error.message, message);
      assert.match(error.message, /List the sizes that are wanted instead\n {4}at .*:\d+:\d+/);
      return true;
    });
  });
}

Deno.test("an open bundle marks what is open, and a maximum must be stated", async () => {
  const options = { name: "test", tune: "software", selfTest: false, format: "json" } as const;
  const { manifest } = await buildBundle(mlp, { ...options, sizes: { batch: 8 }, open: "batch" });
  assert.equal(manifest.open, "batch");
  assert.deepEqual([manifest.inputs[0]!.open, manifest.outputs[0]!.open], [true, true]);
  await assert.rejects(buildBundle(mlp, { ...options, sizes: { batch: 8 }, open: "rows" }), {
    message: /"rows" is to be open, and `sizes` says no maximum/,
  });
});
