/** Custom kernels that are refused: calls, signatures, texts, gradients, and what a device cannot run. */

import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { CompileError, ShapeError } from "../../../compiler/errors.ts";
import { type RawKernel } from "../../../compiler/kernel/raw.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { defaultLimits, type Target, testTarget } from "../../../compiler/target.ts";
import {
  broadcastTo,
  compile,
  customKernel,
  type Dim,
  gradient,
  input,
  model,
  openDevice,
  sum,
  type Tensor,
} from "../../../mod.ts";
import { workgroupBytes } from "../../../ops/custom/workgroup_memory.ts";
import { runByReference } from "../../support/run_by_reference.ts";
import { inModel, rawsOf, sparse } from "../../support/custom_kernels.ts";

const withLimits = (limits: Partial<Target["limits"]>): Target => (
  { ...testTarget, limits: { ...testTarget.limits, ...limits } }
);

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
      assert.match(error.message, /\n {4}at tests\/unit\/ops\/custom_kernel_refused_test\.ts:/);
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
    /customKernel\(wide\): x f32\[6\] has 6 elements.*\n {4}at tests\/unit\/ops\/custom_kernel_refused_test\.ts:/s,
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
  // What is fed and returned is small: those are refused before anybody looks at kernels.
  const net = inModel([1], (x) => {
    const wide = broadcastTo(x, [300]);
    return sum(Object.values(op({ x: wide } as never))[0] as Tensor) as Tensor;
  });
  assert.throws(() => compileGraph(net.graph, { target }), (error) => {
    assert.ok(error instanceof CompileError, String(error));
    assert.match(error.what, message);
    assert.match(error.message, /\n {4}at tests\/unit\/ops\/custom_kernel_refused_test\.ts:/);
    return true;
  });
};

Deno.test("what exceeds the device's limits is refused with the numbers, at the line that made the kernel", () => {
  const outputs = Object.fromEntries(
    Array.from({ length: 8 }, (_, i) => [`y${i}`, { shape: ["n"], dtype: "f32" as const }]),
  );
  refusedAt(/its inputs and outputs are 9 buffers, and this device binds at most 8/, testTarget, { outputs });
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
      assert.match(error.message, /\n {4}at tests\/unit\/ops\/custom_kernel_refused_test\.ts:/);
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
  assert.match(said(() => ({ x: 3 })), /gives for "x" a number, not a tensor/);
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
