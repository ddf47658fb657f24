/** Graphs that were once wrong, or refused: each by policies that fuse and for several targets, against the references. */

import assert from "node:assert/strict";
import { type Compiled, compileGraph, policies } from "../../compiler/compile.ts";
import { defaultLimits, gpuTarget, softwareTarget, type Target, testTarget } from "../../compiler/target.ts";
import {
  add,
  attention,
  broadcastTo,
  cast,
  CompileError,
  concat,
  conv,
  exp,
  gradient,
  input,
  iota,
  layerNorm,
  type Model,
  model,
  mul,
  openDevice,
  pad,
  setState,
  softmax,
  state,
  sub,
  sum,
  type Tensor,
} from "../../mod.ts";
import { expectationsOf, judge } from "../../runtime/lab/judge.ts";
import { dataFor } from "../../runtime/lab/made_data.ts";

const targets: Readonly<Record<string, Target>> = {
  test: testTarget,
  software: softwareTarget,
  gpu: gpuTarget,
};

const waves = (shape: readonly number[], shift: number): Float32Array =>
  Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(1.7 * i + shift));

const kept = <const S extends readonly number[]>(name: string, shape: S): Tensor<S, "f32"> =>
  state(name, shape, ({ shape }) => waves(shape, name.length));

/** A weight and a bias with momentum, beside each other: the weight's step reads what was just written. */
function steppedConv(): Model {
  return model({ x: input([3, 2, 7, 9], "f32"), g: input([3, 5, 4, 5], "f32") }, ({ x, g }) => {
    const [w, m, b] = [kept("w", [5, 2, 3, 3]), kept("momentum", [5, 2, 3, 3]), kept("bias", [5])];
    const y = conv(x, w, { stride: 2, padding: "same" });
    const [dw] = gradient(sum(mul(y, g)), [w]) as unknown as readonly [typeof w];
    const step = add(mul(m, 0.9), dw);
    setState(m, step);
    setState(w, sub(w, mul(step, 0.1)));
    setState(b, sub(b, mul(sum(g, [0, 2, 3]), 0.1)));
    return {};
  });
}

const graphs: Readonly<Record<string, () => Model>> = {
  "rows joined of parts that end within a vec4": () =>
    model({ a: input([3, 42], "f32"), b: input([3, 36], "f32") }, ({ a, b }) => {
      const y = concat([a, b], 1);
      return { y, s: sum(y, 1), n: softmax(y) };
    }),
  "padded rows, stored with their sums": () =>
    model({ a: input([3, 45], "f32") }, ({ a }) => {
      const y = pad(a, [[0, 0], [1, 32]]);
      return { y, s: sum(y, 1), n: layerNorm(y) };
    }),
  "rows that count, the same for all": () =>
    model({ x: input([19], "f32") }, ({ x }) => ({
      a: softmax(cast(iota([3, 19]), "f32")),
      b: sum(mul(cast(iota([3, 19]), "f32"), 2), 1),
      c: softmax(broadcastTo(exp(x), [3, 19])),
    })),
  "states of two shapes in one kernel": steppedConv,
};

for (const [name, make] of Object.entries(graphs)) {
  Deno.test(`odd graphs: ${name}`, async () => {
    using device = await openDevice({ device: "cpu" });
    const { graph } = make();
    const plain: Compiled = compileGraph(graph, { target: device.target, policy: policies.none });
    const c = { graph, ...dataFor(plain) };
    const expected = expectationsOf(c);
    for (const [kind, target] of Object.entries(targets)) {
      for (const policy of ["greedy", "search", "max"] as const) {
        const { failure } = await judge(c, { target, policy: policies[policy] }, device, expected);
        assert.equal(failure, undefined, `${policy} for ${kind}: ${failure?.message}`);
      }
    }
  });
}

Deno.test("an op whose own kernel binds too many buffers says so, and what to try", () => {
  const heads = input([1, 5, 8], "f32");
  const net = model({ q: heads, k: heads, v: heads }, ({ q, k, v }) => ({ y: attention(q, k, v) }));
  assert.throws(
    () =>
      compileGraph(net.graph, { target: { ...testTarget, limits: { ...defaultLimits, storageBuffers: 4 } } }),
    (error) =>
      error instanceof CompileError &&
      /attention needs a kernel of 5 storage buffers, and the limit is 4; with `passes: \[expandComposites/
        .test(error.what),
  );
});

Deno.test("more terms than a kernel can count are refused with their number, and so many elements in rows are not", () => {
  const column = model(
    { x: input([70_000, 1], "f32") },
    ({ x }) => ({ y: sum(broadcastTo(x, [70_000, 70_000])) }),
  );
  assert.throws(
    () => compileGraph(column.graph, { target: testTarget }),
    /sum goes through 4900000000 numbers for each of its results, and a kernel counts up to 2147483647/,
  );
  const rows = model(
    { x: input([70_000, 1], "f32") },
    ({ x }) => ({ y: sum(broadcastTo(x, [70_000, 70_000]), 1) }),
  );
  assert.equal(compileGraph(rows.graph, { target: testTarget }).kernels.length > 0, true);
});
