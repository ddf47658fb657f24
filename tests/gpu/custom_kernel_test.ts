/** Custom kernels on the machine's adapter: what a user's WGSL computes among fused kernels. */

import assert from "node:assert/strict";
import { type Compiled, compileGraph } from "../../compiler/compile.ts";
import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import { isRaw } from "../../compiler/kernel/raw.ts";
import {
  adam,
  add,
  cast,
  compile,
  concat,
  customKernel,
  exp,
  full,
  gradient,
  greater,
  init,
  input,
  linear,
  matmul,
  mean,
  type Model,
  model,
  mse,
  mul,
  openDevice,
  type Outputs,
  parameter,
  relu,
  sigmoid,
  sub,
  sum,
  type Tensor,
  trainStep,
  transpose,
} from "../../mod.ts";
import type { Inputs } from "../../compiler/model/input.ts";
import { assertClose } from "../support/differentiate.ts";
import { openTint } from "../support/tint.ts";

const device = await openDevice({ device: "webgpu" });
const tint = await openTint();

const ramp = (n: number, scale = 1) =>
  Float32Array.from({ length: n }, (_, i) => scale * Math.sin(3 * i + 1));

/** Outputs of one run, verified against the unfused program; every kernel of it is one that Tint takes too. */
async function run<I extends Inputs, O extends Outputs>(
  net: Model<I, O>,
  feeds: Readonly<Record<string, StoredArray>>,
  sizes: Readonly<Record<string, number>> = {},
): Promise<{ outputs: Record<string, number[]>; compiled: Compiled }> {
  using executable = await compile(net, { device, sizes: sizes as never, verify: true });
  const results = executable.run(feeds as never) as unknown as Record<
    string,
    { read(): Promise<ArrayLike<number>> }
  >;
  const read = Object.entries(results).map(async ([name, t]) => [name, Array.from(await t.read())] as const);
  const outputs = Object.fromEntries(await Promise.all(read));
  await executable.idle();
  await assertTintAccepts(executable.compiled);
  return { outputs, compiled: executable.compiled };
}

async function assertTintAccepts({ program }: Compiled): Promise<void> {
  for (const kernel of program.kernels) {
    const wgsl = emitWgsl(kernel, { features: device.target.features });
    const complaint = await tint.complaint(wgsl);
    assert.equal(complaint, undefined, `${complaint}\n${wgsl}`);
  }
}

/** x · sigmoid(b·x), with a factor b for each column. */
const swish = customKernel({
  name: "swish",
  inputs: { x: { shape: ["rows", "columns"], dtype: "f32" }, b: { shape: ["columns"], dtype: "f32" } },
  outputs: { y: { shape: ["rows", "columns"], dtype: "f32" } },
  declarations: `
    fn logistic(v: f32) -> f32 { return 1.0 / (1.0 + exp(-v)); }
  `,
  wgsl: `
    let i = global_invocation_id.x;
    if (i < rows * columns) { y[i] = x[i] * logistic(b[i % columns] * x[i]); }
  `,
  writesAll: true,
  gradient({ inputs: { x, b }, cotangents: { y: g } }) {
    const s = sigmoid(mul(x, b));
    const slope = mul(s, sub(1, s));
    return {
      x: mul(g, add(s, mul(mul(x, b), slope))),
      b: sum(mul(g, mul(mul(x, x), slope)), 0),
    };
  },
});
const plainSwish = <A extends Tensor<readonly ["batch", 8], "f32">>(x: A, b: Tensor<readonly [8], "f32">) =>
  mul(x, sigmoid(mul(x, b)));

const net = (custom: boolean) =>
  model({ x: input(["batch", 4], "f32"), t: input(["batch", 2], "f32") }, ({ x, t }) => {
    const b = parameter("b", [8], init.ones());
    const hidden = add(linear(4, 8)(x), 0.5);
    const active = custom ? swish({ x: hidden, b }).y : plainSwish(hidden, b);
    const y = linear(8, 2)(relu(active));
    return { y, loss: mse(y, t) };
  });

Deno.test("a custom kernel computes forward and backward among fused kernels as the same in plain ops does", async () => {
  const feeds = { x: ramp(12 * 4), t: ramp(12 * 2) };
  const withGradient = (custom: boolean) =>
    model({ x: input(["n", 8], "f32"), b: input([8], "f32") }, ({ x, b }) => {
      const given = add(exp(mul(x, 0.5)), -1);
      const y = custom ? swish({ x: given, b }).y : mul(given, sigmoid(mul(given, b)));
      const [dx, db] = gradient(mean(mul(y, y)), [x, b]);
      return { y: mul(y, 2), dx: dx!, db: db! };
    });
  const sizes = { n: 12 };
  const custom = await run(withGradient(true), { x: ramp(96), b: ramp(8) }, sizes);
  const plain = await run(withGradient(false), { x: ramp(96), b: ramp(8) }, sizes);
  for (const name of ["y", "dx", "db"]) assertClose(custom.outputs[name]!, plain.outputs[name]!, 1e-5);
  const labels = custom.compiled.kernels.map(({ label }) => label);
  assert.equal(labels.filter((label) => label === "customKernel(swish)").length, 1);
  assert.ok(labels.length <= 6, labels.join("; "));

  const inNet = await run(net(true), feeds, { batch: 12 });
  assertClose(inNet.outputs["y"]!, (await run(net(false), feeds, { batch: 12 })).outputs["y"]!, 1e-5);
});

Deno.test("a training step with a custom kernel learns what the same step in plain ops learns, and verifies", async () => {
  const losses = async (custom: boolean) => {
    const step = trainStep(net(custom).only("loss"), adam({ rate: 1e-2 }));
    using executable = await compile(step, { device, sizes: { batch: 12 }, verify: true });
    const found: number[] = [];
    for (let i = 0; i < 12; i++) {
      found.push(await executable.run({ x: ramp(48), t: ramp(24, 0.3) }).loss.item());
    }
    await executable.idle();
    await assertTintAccepts(executable.compiled);
    return found;
  };
  const custom = await losses(true);
  assertClose(custom, await losses(false), 1e-4);
  assert.ok(custom.at(-1)! < 0.9 * custom[0]!, custom.join());
});

Deno.test("inputs may be views, constants and one tensor twice: each is dense when the kernel reads it", async () => {
  const weave = customKernel({
    name: "weave",
    inputs: {
      a: { shape: ["n", "m"], dtype: "f32" },
      b: { shape: ["n", "m"], dtype: "f32" },
      c: { shape: [], dtype: "f32" },
    },
    outputs: { y: { shape: ["2*n", "m"], dtype: "f32" } },
    wgsl: `
      let i = global_invocation_id.x;
      if (i < n * m) {
        y[i] = a[i] + c[0];
        y[n * m + i] = b[i];
      }
    `,
    workgroups: ({ n, m }) => Math.ceil(n * m / 64),
    writesAll: true,
  });
  const turned = model({ x: input([3, 5], "f32") }, ({ x }) => {
    const t = transpose(x);
    const twice = weave({ a: x, b: x, c: full([], 2) }).y;
    return { turned: weave({ a: t, b: t, c: full([], 1) }).y, twice, joined: concat([twice, twice], 0) };
  });
  const x = ramp(15);
  const { outputs } = await run(turned, { x });
  const columns = Array.from({ length: 15 }, (_, i) => x[i % 3 * 5 + Math.floor(i / 3)]!);
  assertClose(outputs["turned"]!, [...columns.map((v) => v + 1), ...columns], 1e-5);
  const twice = [...x.map((v) => v + 2), ...x];
  assertClose(outputs["twice"]!, twice, 1e-5);
  assertClose(outputs["joined"]!, [...twice, ...twice], 1e-5);
});

Deno.test("workgroup memory, barriers and grids of two dimensions work as WGSL says", async () => {
  const tiled = customKernel({
    name: "tiled",
    inputs: { a: { shape: ["m", "k"], dtype: "f32" }, b: { shape: ["k", "n"], dtype: "f32" } },
    outputs: { c: { shape: ["m", "n"], dtype: "f32" } },
    workgroupSize: [8, 8],
    workgroups: ({ m, n }) => [Math.ceil(n / 8), Math.ceil(m / 8)],
    declarations: `
      var<workgroup> left: array<f32, 64>;
      var<workgroup> right: array<f32, 64>;
    `,
    wgsl: `
      let row = global_invocation_id.y;
      let column = global_invocation_id.x;
      let local = local_invocation_id;
      var total = 0.0;
      for (var first = 0u; first < sizes.k; first += 8u) {
        left[local_invocation_index] = 0.0;
        right[local_invocation_index] = 0.0;
        if (row < m && first + local.x < k) { left[local_invocation_index] = a[row * k + first + local.x]; }
        if (column < n && first + local.y < k) { right[local_invocation_index] = b[(first + local.y) * n + column]; }
        workgroupBarrier();
        for (var j = 0u; j < 8u; j++) { total += left[local.y * 8u + j] * right[j * 8u + local.x]; }
        workgroupBarrier();
      }
      if (row < m && column < n) { c[row * n + column] = total; }
    `,
    writesAll: true,
  });
  const product = model({ a: input([19, 21], "f32"), b: input([21, 35], "f32") }, ({ a, b }) => {
    return { custom: tiled({ a, b }).c, plain: matmul(a, b) };
  });
  const { outputs } = await run(product, { a: ramp(19 * 21), b: ramp(21 * 35) });
  assertClose(outputs["custom"]!, outputs["plain"]!, 1e-4);
});

Deno.test("a grid beyond 65,535 workgroups is folded, and the text sees the one that was asked for", async () => {
  const where = (name: string, workgroups: [number, number, number], size: [number, number, number]) =>
    customKernel({
      name,
      inputs: { x: { shape: [], dtype: "u32" } },
      outputs: {
        linear: { shape: [workgroups.reduce((n, d) => n * d, 1)], dtype: "u32" },
        far: { shape: [3], dtype: "u32", as: "atomic" },
      },
      workgroups: () => workgroups,
      workgroupSize: size,
      wgsl: `
        if (local_invocation_index == 0u) {
          let g = workgroup_id;
          linear[g.x + num_workgroups.x * (g.y + num_workgroups.y * g.z)] = x[0] + g.x + 1000u * g.y + 1000000u * g.z;
        }
        atomicMax(&far[0], global_invocation_id.x);
        atomicMax(&far[1], global_invocation_id.y);
        atomicMax(&far[2], global_invocation_id.z);
      `,
    });
  for (
    const [name, grid, size] of [
      ["long", [70_001, 1, 1], [2, 1, 1]],
      ["deep", [60, 50, 40], [2, 1, 2]],
      ["small", [3, 4, 2], [4, 2, 1]],
    ] as const
  ) {
    const op = where(name, [...grid], [...size]);
    const { outputs } = await run(model({ x: input([], "u32") }, ({ x }) => op({ x })), {
      x: Uint32Array.of(5),
    });
    const [gx, gy] = grid;
    outputs["linear"]!.forEach((found, i) => {
      const wanted = 5 + i % gx + 1000 * (Math.floor(i / gx) % gy) + 1e6 * Math.floor(i / gx / gy);
      assert.equal(found, wanted, `${name}: workgroup ${i}`);
    });
    assert.deepEqual(outputs["far"], grid.map((count, axis) => count * size[axis]! - 1), name);
  }
});

Deno.test("outputs begin as zeros, whatever their memory held before", async () => {
  const first = customKernel({
    name: "first",
    inputs: { x: { shape: ["n"], dtype: "f32" } },
    outputs: { y: { shape: ["n"], dtype: "f32" }, counts: { shape: [4], dtype: "u32", as: "atomic" } },
    wgsl: `
      let i = global_invocation_id.x;
      if (i < n) { atomicAdd(&counts[i % 4u], 1u); }
      if (i == 0u) { y[0] = x[0]; }
    `,
  });
  const net = model({ x: input([300], "f32") }, ({ x }) => {
    let y: Tensor<readonly [300], "f32"> = x;
    let counts: Tensor<readonly [4], "u32"> | undefined;
    // The memory of temporaries is used again and again along the chain.
    for (let i = 0; i < 4; i++) ({ y, counts } = first({ x: add(y, 1) }));
    return { y: mul(y, 1), counts: add(counts!, 0) };
  });
  using executable = await compile(net, { device });
  for (let i = 0; i < 3; i++) {
    const { y, counts } = executable.run({ x: new Float32Array(300).fill(i) });
    assert.deepEqual([...await y.read()], [i + 4, ...Array(299).fill(0)]);
    assert.deepEqual([...await counts.read()], [75, 75, 75, 75]);
  }
});

Deno.test("every dtype is bound as documented, and vectors and halves are", async () => {
  const types = customKernel({
    name: "types",
    inputs: {
      x: { shape: ["n"], dtype: "f32", as: "vec4" },
      i: { shape: ["n"], dtype: "i32", as: "vec2" },
      flag: { shape: ["n"], dtype: "bool" },
    },
    outputs: {
      doubled: { shape: ["n"], dtype: "f32", as: "vec4" },
      moved: { shape: ["n"], dtype: "i32", as: "vec2" },
      flipped: { shape: ["n"], dtype: "bool" },
    },
    workgroups: ({ n }) => Math.ceil(n / 64),
    wgsl: `
      let t = global_invocation_id.x;
      if (t < n / 4u) { doubled[t] = 2.0 * x[t]; }
      if (t < n / 2u) { moved[t] = i[t] - vec2<i32>(1i, 2i); }
      if (t < n) { flipped[t] = 1u - flag[t]; }
    `,
    writesAll: true,
  });
  const net = model({ x: input([12], "f32"), i: input([12], "i32") }, ({ x, i }) => {
    const { doubled, moved, flipped } = types({ x, i, flag: greater(x, 0) });
    return { doubled, moved, flipped: cast(flipped, "i32") };
  });
  const x = ramp(12);
  const { outputs } = await run(net, { x, i: Int32Array.from({ length: 12 }, (_, k) => k) });
  assertClose(outputs["doubled"]!, x.map((v) => 2 * v), 1e-5);
  assert.deepEqual(outputs["moved"], [-1, -1, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9]);
  assert.deepEqual(outputs["flipped"], [...x].map((v) => v > 0 ? 0 : 1));
});

Deno.test("halves are halves where the device has them, and refused where not", async () => {
  const half = customKernel({
    name: "half",
    inputs: { x: { shape: ["n"], dtype: "f16" } },
    outputs: { y: { shape: ["n"], dtype: "f16" } },
    wgsl: "let i = global_invocation_id.x; if (i < n) { y[i] = x[i] * 0.5h; }",
    writesAll: true,
  });
  const net = model({ x: input([5], "f32") }, ({ x }) => ({ y: cast(half({ x: cast(x, "f16") }).y, "f32") }));
  if (device.target.features.f16) {
    assert.deepEqual((await run(net, { x: Float32Array.of(1, 2, 3, 4, 5) })).outputs["y"], [
      0.5,
      1,
      1.5,
      2,
      2.5,
    ]);
  }
  const target = { ...device.target, features: { f16: false, subgroups: false } };
  assert.throws(
    () => compileGraph(net.graph, { target }),
    /customKernel\(half\): "x" is f16, and this device has no shader-f16\. Give the kernel cast\(x, "f32"\)/,
  );
});

Deno.test("a tensor without elements is bound as zeros", async () => {
  const both = customKernel({
    name: "both",
    inputs: { x: { shape: ["n"], dtype: "f32" }, more: { shape: ["m"], dtype: "f32" } },
    outputs: { y: { shape: ["n"], dtype: "f32" } },
    wgsl: "let i = global_invocation_id.x; if (i < n) { y[i] = x[i] + f32(m) + more[0]; }",
  });
  const net = model({ x: input(["n"], "f32"), more: input(["m"], "f32") }, (given) => both(given));
  const feeds = { x: ramp(3), more: new Float32Array(0) };
  assertClose((await run(net, feeds, { n: 3, m: 0 })).outputs["y"]!, ramp(3), 1e-5);
  assert.deepEqual((await run(net, { x: feeds.more, more: feeds.x }, { n: 0, m: 3 })).outputs["y"], []);
});

Deno.test("equal layers run one pipeline", async () => {
  const stacked = model({ x: input([6, 8], "f32") }, ({ x }) => {
    let y: Tensor<readonly [6, 8], "f32"> = x;
    for (let i = 0; i < 5; i++) y = swish({ x: mul(y, 0.9), b: parameter(`b${i}`, [8], init.ones()) }).y;
    return { y: sum(y) };
  });
  const { compiled } = await run(stacked, { x: ramp(48) });
  assert.equal(compiled.kernels.filter(({ kernel }) => isRaw(kernel)).length, 5);
  assert.equal(compiled.program.kernels.filter(isRaw).length, 1);
});
