/** Custom kernels without a GPU: what they are in a graph, and what is made around them. */

import assert from "node:assert/strict";
import { compileGraph, policies } from "../../../compiler/compile.ts";
import { emitWgsl } from "../../../compiler/emit/wgsl.ts";
import { printKernel } from "../../../compiler/kernel/print.ts";
import { isRaw } from "../../../compiler/kernel/raw.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { testTarget } from "../../../compiler/target.ts";
import {
  adam,
  add,
  checkpoint,
  compile,
  concat,
  customKernel,
  exp,
  full,
  init,
  input,
  mean,
  model,
  mul,
  openDevice,
  parameter,
  printGraph,
  setState,
  sigmoid,
  state,
  sub,
  sum,
  type Tensor,
  trainStep,
  transpose,
} from "../../../mod.ts";
import { CaseChecker, runOnHost, ways } from "../../support/check_cases.ts";
import { assertClose, differentiate, noise } from "../../support/differentiate.ts";
import { functionCase } from "../../support/function_cases.ts";
import { runByReference } from "../../support/run_by_reference.ts";
import { inModel, rawsOf, sparse } from "../../support/custom_kernels.ts";

/** x · sigmoid(x), row by row, and the sigmoid. */
const silu = customKernel({
  name: "silu",
  inputs: { x: { shape: ["n", "m"], dtype: "f32" } },
  outputs: { y: { shape: ["n", "m"], dtype: "f32" }, s: { shape: ["n", "m"], dtype: "f32" } },
  wgsl: `
    let i = global_invocation_id.x;
    if (i < n * m) {
      s[i] = 1.0 / (1.0 + exp(-x[i]));
      y[i] = x[i] * s[i];
    }
  `,
  writesAll: true,
  gradient: ({ inputs: { x }, outputs: { s }, cotangents: { y: g, s: h } }) => {
    const slope = mul(s, sub(1, s));
    const [throughY, throughS] = [g && mul(g, add(s, mul(x, slope))), h && mul(h, slope)];
    return { x: throughY && throughS ? add(throughY, throughS) : throughY ?? throughS };
  },
  reference({ x, y, s }, { n, m }) {
    for (let i = 0; i < n * m; i++) {
      s[i] = 1 / (1 + Math.exp(-x[i]!));
      y[i] = x[i]! * s[i]!;
    }
  },
});

Deno.test("customKernel() gives what its reference computes, through the whole pipeline and on the device cpu", async () => {
  const checker = new CaseChecker();
  checker.check(
    functionCase("silu between ops", (x) => {
      const { y, s } = silu({ x: mul(x, 0.5) as Tensor<readonly [number, number], "f32"> });
      return exp(add(y, mul(s, 2)));
    }, [{ shape: [3, 5] }]),
    Object.values(ways),
  );
  checker.assertHardlyDropped();
  using device = await openDevice({ device: "cpu" });
  const net = model({ x: input(["b", 3], "f32") }, ({ x }) => {
    const { y, s } = silu({ x: add(x, 1) });
    return { y: mul(y, 2), s };
  });
  using executable = await compile(net, { device, sizes: { b: 2 }, verify: true });
  const { y, s } = executable.run({ x: Float32Array.from([-1, 0, 1, 2, 3, 4]) });
  const sigmoids = [0, 1, 2, 3, 4, 5].map((x) => 1 / (1 + Math.exp(-x)));
  assertClose(await s.read(), sigmoids);
  assertClose(await y.read(), sigmoids.map((v, x) => 2 * x * v));
  await executable.idle();
  assert.match(executable.report(), /\n1 +k1 +custom +1 +customKernel\(silu\)\n/);
});

Deno.test("a custom kernel's gradient is the one that was given, and a training step takes it", async () => {
  const { gradient: found } = differentiate(
    (x) => {
      const { y, s } = silu({ x: x as Tensor<readonly [number, number], "f32"> });
      return sum(mul(add(y, mul(s, s)), y));
    },
    noise(6),
    [2, 3],
  );
  assert.equal(found.length, 6);

  using device = await openDevice({ device: "cpu" });
  const losses = async (custom: boolean) => {
    const net = model({ x: input([4, 3], "f32") }, ({ x }) => {
      const given = mul(x, parameter("w", [3], init.ones()));
      const y = custom ? checkpoint(() => silu({ x: given }).y) : mul(given, sigmoid(given));
      return { loss: mean(mul(y, y)) };
    });
    using step = await compile(trainStep(net, adam({ rate: 0.1 })), { device });
    const all: number[] = [];
    for (let i = 0; i < 5; i++) all.push(await step.run({ x: Float32Array.from(noise(12)) }).loss.item());
    return all;
  };
  const custom = await losses(true);
  assertClose(custom, await losses(false), 1e-5);
  assert.ok(custom[4]! < 0.5 * custom[0]!);
});

Deno.test("equal calls are one node; another text, size or function is another", () => {
  const made = (wgsl: string, reference?: () => void) =>
    customKernel({
      name: "copy",
      inputs: { x: { shape: ["n"], dtype: "f32" } },
      outputs: { y: { shape: ["n"], dtype: "f32" } },
      wgsl,
      ...reference && { reference },
    });
  const [text, other] = ["y[0] = x[0];", "y[0] = x[0]; // another"];
  const nothing = () => {};
  let nodes: number[] = [];
  model({ x: input([4], "f32") }, ({ x }) => {
    const calls = [
      made(text),
      made(text),
      made(other),
      made(text, nothing),
      made(text, nothing),
      made(text, () => {}),
    ];
    nodes = calls.map((call) => call({ x }).y.node.id);
    return {};
  });
  assert.deepEqual(nodes.map((id) => nodes.indexOf(id)), [0, 0, 2, 3, 3, 5]);
});

Deno.test("nothing is fused into a custom kernel: its inputs are stored, and views are copied", () => {
  const net = model({ x: input([4, 6], "f32") }, ({ x }) => {
    const { y } = silu({ x: exp(x) });
    return { y: add(mul(y, 2), 1), turned: silu({ x: transpose(x) }).s };
  });
  const compiled = compileGraph(net.graph, { target: testTarget, policy: policies.greedy });
  assert.deepEqual(compiled.kernels.map(({ label }) => label).sort(), [
    "customKernel(silu)",
    "customKernel(silu)",
    "customKernel(silu), x copied",
    "exp",
    "mul add",
  ]);
  const decision = compiled.cover.decisions.find(({ node }) => node.op.name === "exp");
  assert.equal(decision?.fuse, false);
  assert.match(decision!.because, /customKernel\(silu\) reads its inputs many times/);
});

Deno.test("layers that call one kernel share it, and so do definitions of one text", () => {
  const again = customKernel({
    name: "sparse",
    inputs: { x: { shape: ["k"], dtype: "f32" } },
    outputs: { y: { shape: ["k"], dtype: "f32" } },
    wgsl: "let i = 2u * global_invocation_id.x; if (i < k) { y[i] = x[i]; }",
  });
  const net = inModel([8], (x) => {
    let y = x as Tensor<readonly [8], "f32">;
    for (let i = 0; i < 4; i++) y = sparse({ x: add(y, 1) }).y;
    return add(again({ x: mul(y, 2) }).y, 1);
  });
  const compiled = compileGraph(net.graph, { target: testTarget });
  assert.equal(compiled.kernels.filter(({ kernel }) => isRaw(kernel)).length, 5);
  // The second definition calls its size otherwise, which is another text.
  assert.equal(rawsOf(compiled).length, 2);
  for (const kernel of compiled.program.kernels) verifyKernel(kernel, testTarget.limits);
});

Deno.test("kernels of one text compute by their own references on the device cpu", async () => {
  const times = (factor: number) =>
    customKernel({
      name: "scale",
      inputs: { x: { shape: [2], dtype: "f32" } },
      outputs: { y: { shape: [2], dtype: "f32" } },
      wgsl: "y[0] = x[0];",
      reference: ({ x, y }) => x.forEach((v, i) => y[i] = factor * v),
    });
  const net = model({ x: input([2], "f32") }, ({ x }) => ({ a: times(2)({ x }).y, b: times(3)({ x }).y }));
  using device = await openDevice({ device: "cpu" });
  using run = await compile(net, { device });
  const { a, b } = run.run({ x: new Float32Array([1, 2]) });
  assert.deepEqual([[...await a.read()], [...await b.read()]], [[2, 4], [3, 6]]);
});

Deno.test("outputs that the kernel may leave out are cleared before it, and only those", () => {
  const net = inModel([4], (x) => add(sparse({ x: add(x, 1) }).y, 1));
  const { kernels } = compileGraph(net.graph, { target: testTarget });
  assert.deepEqual(kernels.map(({ label }) => label), [
    "add",
    "customKernel(sparse), y cleared",
    "customKernel(sparse)",
    "add",
  ]);
  const { kernels: all } = compileGraph(inModel([4, 1], (x) => silu({ x: x as never }).y).graph, {
    target: testTarget,
  });
  assert.deepEqual(all.map(({ label }) => label), ["customKernel(silu)"]);
});

Deno.test("a result that lies inside another tensor, or replaces a state, is put there", () => {
  const net = model({ x: input([2, 3], "f32") }, ({ x }) => {
    const last = state("last", [2, 3], init.zeros());
    const { y, s } = silu({ x: add(x, last) });
    setState(last, y);
    return { both: concat([s, mul(x, 2)], 1), old: silu({ x: last }).y };
  });
  const x = [1, 2, 3, 4, 5, 6];
  const wanted = runByReference(net.graph, { x });
  for (const { target, policy } of Object.values(ways)) {
    const { program } = compileGraph(net.graph, { target, policy });
    const found = runOnHost(program, { feeds: { x }, states: { last: Array(6).fill(0) } });
    assertClose(found["both"]!, wanted.outputs["both"]!);
    assert.deepEqual([...found["old"] as Float32Array], [0, 0, 0, 0, 0, 0]);
    assertClose(found["state:last"]!, x.map((v) => v / (1 + Math.exp(-v))));
  }
});

Deno.test("the printed kernel and graph show the text; nodes are called by the kernel's name", () => {
  const net = inModel(["batch"], (x) => sparse({ x: x as Tensor<readonly ["batch"], "f32"> }).y);
  assert.match(
    printGraph(net.graph),
    /%1 = customKernel\(sparse\) %0 kernel=\{.*global_invocation_id.*\} : f32\[batch\]/,
  );
  const [raw] = rawsOf(compileGraph(net.graph, { target: testTarget, sizes: { batch: 200 } }));
  assert.equal(
    printKernel(raw!),
    `raw kernel sparse, workgroups 4 1 1 of 64 1 1
size n = 200
buffer x: f32[200] read
buffer y: f32[200] read_write
declarations {

}
body {
let i = 2u * global_invocation_id.x; if (i < n) { y[i] = x[i]; }
}
`,
  );
});

Deno.test("the module holds sizes, bindings, and a block of sizes only where the text reads one", () => {
  const blocked = customKernel({
    name: "blocked",
    inputs: { x: { shape: ["n", "m"], dtype: "f32", as: "vec4" } },
    outputs: { y: { shape: ["n"], dtype: "i32", as: "atomic" } },
    workgroupSize: [4, 2],
    workgroups: ({ n }) => [1, n],
    declarations: "const four = 4u;",
    wgsl: "for (var j = 0u; j < sizes.m / four; j++) { atomicAdd(&y[workgroup_id.y], i32(x[j].x)); }",
  });
  const net = model({ x: input([3, 8], "f32") }, ({ x }) => blocked({ x }));
  const compiled = compileGraph(net.graph, { target: testTarget });
  assert.equal(
    emitWgsl(rawsOf(compiled)[0]!, { features: testTarget.features }),
    `const n: u32 = 3u;
const m: u32 = 8u;
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>, 6>;
@group(0) @binding(1) var<storage, read_write> y: array<atomic<i32>, 3>;
struct weft_Sizes { weft_workgroups: u32, m: u32 }
@group(0) @binding(2) var<uniform> sizes: weft_Sizes;
const four = 4u;
@compute @workgroup_size(4, 2, 1)
fn main(@builtin(local_invocation_id) local_invocation_id: vec3<u32>, ` +
      `@builtin(local_invocation_index) local_invocation_index: u32, ` +
      `@builtin(workgroup_id) weft_group: vec3<u32>, @builtin(num_workgroups) weft_grid: vec3<u32>) {
let weft_linear = weft_group.x + weft_group.y * weft_grid.x;
let num_workgroups = vec3<u32>(1u, 3u, 1u);
let workgroup_id = vec3<u32>(weft_linear % 1u, weft_linear / 1u % 3u, 0u);
let global_invocation_id = workgroup_id * vec3<u32>(4u, 2u, 1u) + local_invocation_id;
for (var j = 0u; j < sizes.m / four; j++) { atomicAdd(&y[workgroup_id.y], i32(x[j].x)); }
}
`,
  );
  const step = compiled.program.steps.find((s) =>
    s.kind === "dispatch" && isRaw(compiled.program.kernels[s.dispatch.kernel]!)
  );
  assert.deepEqual(step?.kind === "dispatch" && step.dispatch.params, [8]);
});

Deno.test("names of sizes are bound per call, and results are made of them", () => {
  const pair = customKernel({
    name: "pair",
    inputs: { a: { shape: ["n", 2], dtype: "f32" }, b: { shape: ["m"], dtype: "i32" } },
    outputs: { y: { shape: ["n*m", "2*n + 1"], dtype: "f32" } },
    wgsl: "y[0] = a[0];",
  });
  const net = model({ a: input(["batch", 2], "f32"), b: input([3], "i32") }, (given) => pair(given));
  assert.deepEqual(net.outputs.y.shape, ["3*batch", "2*batch + 1"]);
  const [raw] = rawsOf(compileGraph(net.graph, { target: testTarget, sizes: { batch: 5 } }));
  assert.deepEqual(raw!.sizes, { n: 5, m: 3 });
  assert.equal(raw!.buffers[2]!.size, 15 * 11);
  assert.deepEqual(net.rename({ batch: "rows" }).outputs.y.shape, ["3*rows", "2*rows + 1"]);
});

Deno.test("an empty grid leaves zeros", () => {
  const none = customKernel({
    name: "none",
    inputs: { x: { shape: ["n"], dtype: "f32" } },
    outputs: { y: { shape: ["n"], dtype: "f32" } },
    wgsl: "y[0] = x[0];",
    workgroups: () => 0,
  });
  const compiled = compileGraph(inModel([3], (x) => none({ x } as never).y).graph, { target: testTarget });
  assert.deepEqual(compiled.kernels.map(({ label }) => label), ["customKernel(none), y cleared"]);
});

Deno.test("constants reach a custom kernel in a buffer, and are not folded through it", () => {
  const net = model({ x: input([2, 2], "f32") }, ({ x }) => ({ y: add(silu({ x: full([2, 2], 3) }).y, x) }));
  const compiled = compileGraph(net.graph, { target: testTarget });
  assert.equal(rawsOf(compiled).length, 1);
  assert.ok(compiled.kernels.some(({ label }) => label === "customKernel(silu), x copied"));
});
