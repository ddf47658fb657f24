/** Custom kernels without a GPU: what they are in a graph, what is made around them, and what is refused. */

import assert from "node:assert/strict";
import { type Compiled, compileGraph, policies } from "../../../compiler/compile.ts";
import { emitWgsl } from "../../../compiler/emit/wgsl.ts";
import { CompileError, ShapeError } from "../../../compiler/errors.ts";
import { printKernel } from "../../../compiler/kernel/print.ts";
import { isRaw, type RawKernel } from "../../../compiler/kernel/raw.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { defaultLimits, type Target, testTarget } from "../../../compiler/target.ts";
import {
  adam,
  add,
  checkpoint,
  compile,
  concat,
  customKernel,
  type Dim,
  exp,
  full,
  gradient,
  init,
  input,
  mean,
  model,
  mul,
  openDevice,
  parameter,
  printGraph,
  setState,
  type Shape,
  sigmoid,
  state,
  sub,
  sum,
  type Tensor,
  trainStep,
  transpose,
} from "../../../mod.ts";
import { workgroupBytes } from "../../../ops/custom/workgroup_memory.ts";
import { CaseChecker, runOnHost, ways } from "../../support/check_cases.ts";
import { assertClose, differentiate, noise } from "../../support/differentiate.ts";
import { functionCase } from "../../support/function_cases.ts";
import { runByReference } from "../../support/run_by_reference.ts";

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

/** Leaves out every second element; it has neither gradient nor reference. */
const sparse = customKernel({
  name: "sparse",
  inputs: { x: { shape: ["n"], dtype: "f32" } },
  outputs: { y: { shape: ["n"], dtype: "f32" } },
  wgsl: "let i = 2u * global_invocation_id.x; if (i < n) { y[i] = x[i]; }",
});

const withLimits = (limits: Partial<Target["limits"]>): Target => (
  { ...testTarget, limits: { ...testTarget.limits, ...limits } }
);

const rawsOf = ({ program }: Compiled): RawKernel[] => program.kernels.filter(isRaw);

const inModel = (shape: Shape, f: (x: Tensor<Shape, "f32">) => Tensor) =>
  model({ x: input(shape, "f32") }, ({ x }) => ({ y: f(x) }));

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

Deno.test("a call that does not fit the signature names the tensor, both shapes, the axis and the line", () => {
  const two = customKernel({
    name: "two",
    inputs: {
      x: { shape: ["n", 4], dtype: "f32", as: "vec4" },
      z: { shape: ["n"], dtype: "f32", as: "vec2" },
    },
    outputs: { y: { shape: ["n - 2"], dtype: "f32" } },
    wgsl: "y[0] = x[0].x;",
  });
  const said = (x: readonly Dim[], z: readonly Dim[], dtype: "f32" | "i32" = "f32"): string => {
    try {
      model({ x: input(x, dtype), z: input(z, "f32") }, (given) => two(given as never));
      return "";
    } catch (error) {
      assert.ok(error instanceof ShapeError);
      assert.match(error.message, /\n {4}at tests\/unit\/ops\/custom_kernel_test\.ts:/);
      return error.what;
    }
  };
  assert.equal(
    said([3, 4], [5]),
    "customKernel(two): n is 3 (axis 0 of x f32[3, 4]) and 5 (axis 0 of z f32[5]); the signature gives them one " +
      "name, so they must be equal",
  );
  assert.equal(
    said([2, 5], [2]),
    "customKernel(two): axis 1 of x f32[2, 5] is 5, and its signature says 4: f32[n, 4]",
  );
  assert.equal(
    said([2, 4], [2, 1]),
    "customKernel(two): z is f32[2, 1] of 2 axes, and its signature says f32[n], 1 axis. Use reshape or expandDims",
  );
  assert.match(said([2, 4], [2], "i32"), /x is i32\[2, 4\], .* says f32\[n, 4\]\. .* use cast\(x, "f32"\)/);
  assert.match(
    said([3, 4], [3]),
    /z f32\[3\] has 3 elements, and as vec2 their number must be a multiple of 2/,
  );
  assert.match(said([0, 4], [0]), /y \[n - 2\] would be \[-2\], and no size is below 0/);
  assert.equal(said(["k", 4], ["k"]), "");
  assert.throws(
    () => inModel([2], (x) => sparse({ z: x } as never).y),
    /has no input "z"; it is called with \{ x \}/,
  );
  assert.throws(() => inModel([2], () => sparse({} as never).y), /the input "x" is undefined, not a tensor/);
  assert.throws(() => sparse({} as never), /customKernel\(sparse\) is part of a graph/);
});

Deno.test("a size that turns out not to fit vectors is refused when it is bound, at the call's line", () => {
  const wide = customKernel({
    name: "wide",
    inputs: { x: { shape: ["n"], dtype: "f32", as: "vec4" } },
    outputs: { y: { shape: ["n"], dtype: "f32", as: "vec4" } },
    wgsl: "y[0] = x[0];",
  });
  const net = model({ x: input(["batch"], "f32") }, ({ x }) => wide({ x }));
  compileGraph(net.graph, { target: testTarget, sizes: { batch: 8 } });
  assert.throws(
    () => compileGraph(net.graph, { target: testTarget, sizes: { batch: 6 } }),
    /customKernel\(wide\): x f32\[6\] has 6 elements.*\n {4}at tests\/unit\/ops\/custom_kernel_test\.ts:/s,
  );
});

const refusedAt = (message: RegExp, target: Target, options: Partial<Parameters<typeof customKernel>[0]>) => {
  const op = customKernel({
    name: "big",
    inputs: { x: { shape: ["n"], dtype: "f32" } },
    outputs: { y: { shape: ["n"], dtype: "f32" } },
    wgsl: "y[0] = x[0];",
    ...options,
  });
  const net = inModel([300], (x) => Object.values(op({ x } as never))[0] as Tensor);
  assert.throws(() => compileGraph(net.graph, { target }), (error) => {
    assert.ok(error instanceof CompileError, String(error));
    assert.match(error.what, message);
    assert.match(error.message, /\n {4}at tests\/unit\/ops\/custom_kernel_test\.ts:/);
    return true;
  });
};

Deno.test("what exceeds the device's limits is refused with the numbers, at the line that made the kernel", () => {
  const outputs = Object.fromEntries(
    Array.from({ length: 8 }, (_, i) => [`y${i}`, { shape: ["n"], dtype: "f32" as const }]),
  );
  refusedAt(/1 inputs and 8 outputs are 9 buffers, and this device binds at most 8/, testTarget, { outputs });
  refusedAt(
    /"x", f32\[300\], has 1200 bytes, and this device binds at most 1024/,
    withLimits({ bindingBytes: 1024 }),
    {},
  );
  refusedAt(/a workgroup of 512 × 1 × 1 has 512 invocations, and this device allows 256/, testTarget, {
    workgroupSize: 512,
  });
  refusedAt(/a workgroup of 1 × 1 × 128 has 128 invocations, .* at most 64 of them along z/, testTarget, {
    workgroupSize: [1, 1, 128],
    workgroups: () => 1,
  });
  refusedAt(
    /70000 × 70000 × 1 are 4900000000 workgroups, and one dispatch has at most 4294836225/,
    testTarget,
    {
      workgroups: () => [70_000, 70_000],
    },
  );
  refusedAt(/67108865 workgroups of 64 along x are more invocations than a u32 counts/, testTarget, {
    workgroups: () => 2 ** 26 + 1,
  });
  refusedAt(/workgroups gave 4\.5 for the sizes \{"n":300\}; give a whole number/, testTarget, {
    workgroups: () => 4.5,
  });
  refusedAt(/workgroups is 0 × 1 × 1, so nothing runs, and writesAll says/, testTarget, {
    workgroups: () => 0,
    writesAll: true,
  });
  refusedAt(/its var<workgroup> take 17600 bytes, and this device has 16384/, testTarget, {
    declarations: `
      const tile = 2 * n;
      // var<workgroup> not_there: array<f32, 9999>;
      var<workgroup> a: array<array<vec3f, tile + 200>, 1>; var<workgroup> b : array<mat4x4<f32>, 60>;
      var<workgroup> c: array<atomic<u32>, 240>;
    `,
  });
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

Deno.test("without a reference, the device cpu says what to give; without a gradient, a gradient does", async () => {
  using device = await openDevice({ device: "cpu" });
  const net = inModel([4], (x) => sparse({ x } as never).y);
  await assert.rejects(compile(net, { device }), (error) => {
    assert.ok(error instanceof CompileError);
    assert.equal(
      error.what,
      "customKernel(sparse): the CPU runs no WGSL, and the kernel has no reference. Give customKernel `reference: " +
        '(arrays, sizes) => …`, the same in plain loops, or open a GPU: openDevice({ device: "webgpu" })',
    );
    return true;
  });
  assert.throws(
    () => inModel([4], (x) => gradient(sum(sparse({ x } as never).y), [x])[0]!),
    /customKernel\(sparse\) has no gradient: WGSL is not differentiated\. Give customKernel `gradient:/,
  );
  assert.throws(
    () => runByReference(net.graph, { x: [1, 2, 3, 4] }),
    /customKernel\(sparse\): has no reference/,
  );
});

Deno.test("a gradient that does not fit its inputs is refused at the kernel's line", () => {
  const said = (rule: (g: Tensor<readonly ["n"], "f32">) => unknown): string => {
    const op = customKernel({
      name: "op",
      inputs: { x: { shape: ["n"], dtype: "f32" } },
      outputs: { y: { shape: ["n"], dtype: "f32" } },
      wgsl: "y[0] = x[0];",
      gradient: ({ cotangents: { y } }) => rule(y) as never,
    });
    try {
      inModel([4], (x) => gradient(sum(op({ x } as never).y), [x])[0]!);
      return "";
    } catch (error) {
      assert.ok(error instanceof ShapeError);
      assert.match(error.message, /\n {4}at tests\/unit\/ops\/custom_kernel_test\.ts:/);
      return error.what;
    }
  };
  assert.equal(said((g) => ({ x: g })), "");
  assert.equal(said(() => ({})), "");
  assert.match(
    said((g) => ({ x: sum(g) })),
    /gives f32\[\] for "x", which is f32\[4\]; the two must be equal/,
  );
  assert.match(said((g) => ({ z: g })), /gives "z", which is no input; the inputs are x/);
  assert.match(said((g) => g), /must give a record of tensors by the names of inputs: x/);
  assert.match(said(() => ({ x: 3 })), /gives for "x" what is no tensor/);
});

Deno.test("verifyKernel() refuses a raw kernel whose declarations contradict each other", () => {
  const net = inModel([8], (x) => sparse({ x } as never).y);
  const [raw] = rawsOf(compileGraph(net.graph, { target: testTarget }));
  verifyKernel(raw!, defaultLimits);
  const wrong = (change: Partial<RawKernel>, message: RegExp) =>
    assert.throws(() => verifyKernel({ ...raw!, ...change }, defaultLimits), message);
  wrong({ lanes: 32 }, /workgroups of 64,1,1 are not 32 lanes/);
  wrong({ groups: 2 }, /a grid of 1,1,1 is not 2 groups/);
  wrong({ forms: [] }, /0 forms of elements for 2 buffers/);
  wrong({ buffers: raw!.buffers.map((b) => ({ ...b, access: "read" })) }, /the buffer y is bound read/);
  wrong({ buffers: raw!.buffers.map((b) => ({ ...b, name: "x" })) }, /two declarations are called x/);
});

const textOf = (wgsl: string, declarations = "") => () =>
  customKernel({
    name: "text",
    inputs: {},
    outputs: { y: { shape: [8], dtype: "f32" } },
    wgsl,
    declarations,
  });

Deno.test("parts that Weft writes, and pointers that end the process, are refused where they stand", () => {
  const cases: readonly (readonly [RegExp, string, string?])[] = [
    [/`wgsl` is empty/, "  // nothing\n"],
    [/line 2 of wgsl, "fn f\(\) \{\}": `wgsl` is what stands inside/, "y[0] = 1;\nfn f() {}"],
    [
      /line 1 of declarations, "@group\(0\).*": Weft declares the bindings/,
      "y[0] = 1;",
      "@group(0) @binding(0) var<storage> z: f32;",
    ],
    [
      /line 1 of declarations, "@compute.*": Weft writes the entry point/,
      "y[0] = 1;",
      "@compute @workgroup_size(4) fn main() {}",
    ],
    [
      /line 1 of wgsl, "let n = arrayLength\(&y\);": tensors are arrays of a fixed size/,
      "let n = arrayLength(&y);",
    ],
    [/line 2 of declarations, "enable f16;": Weft enables f16/, "y[0] = 1;", "\nenable f16;"],
    [
      /line 1 of wgsl, "set\(&a\[1\]\);": .* pointer to an element/,
      "set(&a[1]);",
      "fn set(p: ptr<function, f32>) { *p = 1.0; }",
    ],
    [
      /line 3 of wgsl, "let q = &s\.field;": /,
      "\n\nlet q = &s.field;\nset(q);",
      "fn set(p: ptr<function, f32>) { *p = 1.0; }",
    ],
    [
      /line 1 of declarations/,
      "f(&a);",
      "fn f(p: ptr<function, array<f32, 4>>) { g(&(*p)[1]); } fn g(p: ptr<function, f32>) { }",
    ],
  ];
  for (const [message, wgsl, declarations] of cases) assert.throws(textOf(wgsl, declarations), message);
  // Whole variables, atomics, operators and comments are none of this.
  textOf(
    "fill(&a); atomicAdd(&counts[1], 1u); let b = x & y[1]; let c = b && d.x; /* &a[1] /* nested */ &b.c */",
    "fn fill(p: ptr<function, array<f32, 4>>) { (*p)[1] = 1.0; } // set(&a[1])",
  )();
});

Deno.test("a signature that cannot be WGSL, or makes no sense, is refused when the kernel is made", () => {
  const made = (options: Record<string, unknown>) => () =>
    customKernel(
      {
        name: "bad",
        inputs: { x: { shape: ["n"], dtype: "f32" } },
        outputs: { y: { shape: ["n"], dtype: "f32" } },
        wgsl: "y[0] = x[0];",
        ...options,
      } as Parameters<typeof customKernel>[0],
    );
  const f32 = (...shape: unknown[]) => ({ shape, dtype: "f32" });
  const cases: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ name: "my kernel" }, /the name "my kernel" must be one word/],
    [{ outputs: {} }, /has no outputs/],
    [{ inputs: { loop: f32("n") } }, /"loop" means something in WGSL/],
    [{ inputs: { x: f32("workgroup_id") } }, /"workgroup_id" is the name of something that Weft declares/],
    [{ inputs: { "a-b": f32("n") } }, /"a-b" is no WGSL name/],
    [{ inputs: { x: f32("x") }, outputs: { y: f32(1) } }, /"x" is two things/],
    [{ inputs: { y: f32("n") } }, /"y" is two things/],
    [{ outputs: { y: f32("m") } }, /the output "y" has the size m, which no input has; its sizes are n/],
    [{ inputs: { x: { shape: "n", dtype: "f32" } } }, /a shape is an array/],
    [{ inputs: { x: { shape: ["n"], dtype: "float" } } }, /"float" is not a dtype/],
    [{ inputs: { x: f32("n-1") } }, /"n-1" in \[n-1\] is not a size/],
    [{ inputs: { x: { ...f32("n"), as: "atomic" } } }, /the input "x" is only read, so it cannot be atomic/],
    [{ outputs: { y: { ...f32("n"), as: "atomic" } } }, /"y" is f32, and WGSL has atomics for i32 and u32/],
    [{ outputs: { y: { ...f32("n"), as: "vec3" } } }, /"y" is read as "vec3"/],
    [{ workgroupSize: 0 }, /workgroupSize is 0; give a whole number from 1 up/],
    [{ workgroupSize: [8, 8] }, /a workgroup of 8 × 8 × 1 has no grid by itself/],
    [{ wgsl: undefined }, /`wgsl` and `declarations` are texts/],
  ];
  for (const [options, message] of cases) assert.throws(made(options), message);
});

Deno.test("constants reach a custom kernel in a buffer, and are not folded through it", () => {
  const net = model({ x: input([2, 2], "f32") }, ({ x }) => ({ y: add(silu({ x: full([2, 2], 3) }).y, x) }));
  const compiled = compileGraph(net.graph, { target: testTarget });
  assert.equal(rawsOf(compiled).length, 1);
  assert.ok(compiled.kernels.some(({ label }) => label === "customKernel(silu), x copied"));
});

Deno.test("workgroupBytes() adds up what it understands, with WGSL's alignment", () => {
  const bytes = (declarations: string) => workgroupBytes(declarations, { n: 10 });
  assert.equal(bytes("var<workgroup> a: f32; var<workgroup> b: array<vec3<f32>, 4>;"), 4 + 64);
  assert.equal(bytes("const rows: u32 = n * 2u; var<workgroup> a: array<array<f16, 3>, rows + 1>;"), 21 * 6);
  assert.equal(bytes("var<workgroup> a: mat3x3f;\nvar < workgroup > b : array<atomic<u32>, n>;"), 48 + 40);
  // A structure, or a length that would have to be computed, counts as nothing: the sum is a lower bound.
  assert.equal(
    bytes("struct S { a: f32 } var<workgroup> a: S; var<workgroup> b: array<f32, 2 * (n + 1)>;"),
    0,
  );
  assert.equal(bytes("var<private> a: array<f32, 99>; // var<workgroup> b: f32;"), 0);
});
