/** Sizes that are left open: which models allow it, and that their rows have nothing to do with each other. */

import assert from "node:assert/strict";
import { checkOpenSize } from "../../../compiler/bundle/open_size.ts";
import { type Compiled, compileGraph } from "../../../compiler/compile.ts";
import { groupsFor, openGrids } from "../../../compiler/bundle/open_grid.ts";
import { bindSizes } from "../../../compiler/graph/bind.ts";
import type { Program, Step } from "../../../compiler/program/program.ts";
import { defaultLimits, gpuTarget, testTarget } from "../../../compiler/target.ts";
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
  noFuse,
  pad,
  parameter,
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

/** The program with the workgroups that so many rows need. */
function shrunk(compiled: Compiled, filled: number, most: number): Program {
  const { program } = compiled;
  const names = new Set(program.inputs.map(({ name }) => name));
  const grids = openGrids(compiled, names, most);
  const steps = program.steps.map((step, i): Step => {
    const grid = grids[i];
    // Parts of a sum are numbered otherwise in a bundle's own text: tests/gpu/bundle_test.ts.
    if (step.kind === "copy" || grid === undefined || grid.parts > 1) return step;
    const groups = groupsFor(grid, filled, step.dispatch.groups);
    return { ...step, dispatch: { ...step.dispatch, groups } };
  });
  return { ...program, steps };
}

for (const [name, net] of Object.entries(allowed)) {
  Deno.test(`${name}: rows beyond those that are fed change nothing, whatever they hold, and need no workgroups`, () => {
    checkOpenSize(bindSizes(net.graph, {}, ["batch"]), "batch");
    const most = 6;
    const run = (batch: number, filled: number) => {
      const compiled = compileGraph(net.graph, { target: testTarget, sizes: { batch } });
      const { program } = compiled;
      const host = new HostRun(filled < batch ? shrunk(compiled, filled, batch) : program);
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

Deno.test("tiles of products, rows and pixels of images come in blocks, and so do partial sums", () => {
  const target = { ...gpuTarget, limits: defaultLimits };
  const share = (net: Model) => {
    const compiled = compileGraph(net.graph, { target, sizes: { batch: 64 } });
    const inputs = new Set(compiled.program.inputs.map(({ name }) => name));
    const grids = openGrids(compiled, inputs, 64);
    const shares = compiled.kernels.map(({ label, groups }, i) =>
      [label, grids[i] === undefined ? 1 : groupsFor(grids[i], 1, groups) / groups] as const
    );
    return Object.fromEntries(shares);
  };
  const parts = share(digits as never);
  assert(parts["conv: conv"]! < 0.02 && parts["conv_1: add relu conv"]! < 0.03, JSON.stringify(parts));
  assert.equal(parts["linear: add relu matmul: parts"], 0.125);
  assert.equal(parts["linear: add relu matmul"], 0.25);
  // What is computed of weights alone has as many rows by chance, and is needed whole.
  const chance = model({ x: input(["batch", 64], "f32") }, ({ x }) => {
    const table = parameter("table", [64, 64], init.normal(1));
    return { y: matmul(x, noFuse(mul(table, 2))) };
  });
  const compiled = compileGraph(chance.graph, { target: testTarget, sizes: { batch: 64 } });
  const blocks = openGrids(compiled, new Set(["x"]), 64);
  assert.deepEqual(
    compiled.kernels.map((
      { label },
      i,
    ) => [label.includes("mul") && !label.includes("matmul"), blocks[i] === undefined]),
    [
      [true, true],
      [false, false],
    ],
  );
});

Deno.test("ragged tiles come in blocks of whole tiles", () => {
  const target = { ...gpuTarget, limits: defaultLimits };
  const grids = (net: Model, batch: number) => {
    const compiled = compileGraph(net.graph, { target, sizes: { batch } });
    const inputs = new Set(compiled.program.inputs.map(({ name }) => name));
    return openGrids(compiled, inputs, batch).map((grid) => grid && [grid.block, grid.blocks, grid.rows]);
  };
  assert.deepEqual(grids(mlp as never, 37), [[5, 1, 8], [2, 1, 8], [1, 1, 16]]); // 37 rows in tiles of 8
  const [pixels] = grids(cnn as never, 7); // 700 pixels in groups of 16, which 44 groups are too many for
  assert.deepEqual(pixels, [1, 25, 4]);
});

for (const [name, net, most] of [["an MLP", mlp, 11], ["a CNN", cnn, 5]] as const) {
  Deno.test(`${name} made for ${most} rows gives for each size up to there what the one made for it gives`, () => {
    const target = { ...gpuTarget, limits: defaultLimits };
    const compiled = (batch: number) => compileGraph(net.graph, { target, sizes: { batch } });
    const open = compiled(most);
    const run = (program: Program, batch: number, filled: number) => {
      const host = new HostRun(program);
      for (const { path, tensor, initializer } of net.graph.states) {
        host.setState(
          path,
          initializer({ shape: tensor.shape as number[], dtype: tensor.dtype, seed: 1, path }),
        );
      }
      const random = randomOf(filled);
      const { name, shape } = program.inputs[0]!;
      const row = shape.slice(1).reduce((n, d) => n * d, 1);
      const values = Array.from({ length: batch * row }, (_, i) => i < filled * row ? random() : NaN);
      return Object.values(host.run({ [name]: values }))[0]!;
    };
    for (let filled = 1; filled <= most; filled++) {
      const wanted = run(compiled(filled).program, filled, filled);
      const got = run(shrunk(open, filled, most), most, filled);
      wanted.forEach((x, i) =>
        assert(Math.abs(got[i]! - x) <= 1e-5, `${got[i]} for ${x} at ${i} of ${filled}`)
      );
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
