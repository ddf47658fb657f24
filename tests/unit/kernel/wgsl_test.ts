/** The text of emitted WGSL, where barriers stand, and what the uniform block holds. No device: see tests/gpu/emit_test.ts. */

import assert from "node:assert/strict";
import { barriersOf } from "../../../compiler/emit/barriers.ts";
import { encodeUniforms, uniformWords } from "../../../compiler/emit/uniforms.ts";
import { emitWgsl } from "../../../compiler/emit/wgsl.ts";
import { CompileError } from "../../../compiler/errors.ts";
import type { IrBuilder } from "../../../compiler/kernel/build.ts";
import { type Kernel, literal, wide } from "../../../compiler/kernel/ir.ts";
import { blocksOf } from "../../../compiler/kernel/walk.ts";
import { binary, bind, build, group, int, lane, phaseKernel, ref } from "../../support/small_kernels.ts";

const plain = { features: { f16: false, subgroups: false } };
const halves = { features: { f16: true, subgroups: false } };

/** The lines of `main`, without indentation. */
function bodyOf(kernel: Kernel, options = plain): string[] {
  const lines = emitWgsl(kernel, options).split("\n").map((line) => line.trim());
  return lines.slice(lines.findIndex((line) => line.startsWith("fn main")) + 1, -2);
}

const declarationsOf = (kernel: Kernel, options = plain): string[] =>
  emitWgsl(kernel, options).split("\n").filter((line) =>
    line.startsWith("@group") || line.startsWith("var<")
  );

Deno.test("emitWgsl() writes one let per operation, bounds from the uniform block, and positions for names", () => {
  const kernel = build(8, 4, (b) => {
    const sum = b.array("lane", wide("f32", 4), 1);
    const base = b.uniform(() => b.mul(b.group, 64));
    b.phase(() => {
      b.set(sum, 0, b.widen(b.literal("f32", 0), 4));
      b.for(b.mul(b.lane, 4), b.int(64), 32, (v) => {
        const x = b.load(ref("x", "f32", 256), b.add(base, v), 4);
        b.set(sum, 0, b.binary("add", b.read(sum, 0), x));
      });
      const scale = b.param("scale", "f32", 2, 0, 9);
      b.store(
        ref("y", "f32", 32),
        b.add(b.mul(b.group, 8), b.lane),
        b.binary("mul", scale, b.component(b.read(sum, 0), 3)),
      );
    });
  });
  assert.equal(
    emitWgsl(kernel, plain),
    `\
@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>, 64>;
@group(0) @binding(1) var<storage, read_write> b1: array<f32, 32>;
@group(0) @binding(2) var<uniform> uniforms: array<vec4<u32>, 1>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
  let group = i32(wid.x);
  let lane = i32(lid);
  let p0 = bitcast<f32>(uniforms[0].y);
  let n0 = bitcast<i32>(uniforms[0].z);
  var r0_0: vec4<f32>;
  let v0 = group * 64i;
  let v1 = vec4<f32>(0.0f);
  r0_0 = v1;
  let v2 = lane * 4i;
  for (var i0: i32 = v2; i0 < n0; i0 += 32i) {
    let v3 = v0 + i0;
    let v4 = b0[v3 >> 2u];
    let v5 = r0_0;
    let v6 = v5 + v4;
    r0_0 = v6;
  }
  let v7 = group * 8i;
  let v8 = v7 + lane;
  let v9 = r0_0;
  let v10 = v9.w;
  let v11 = p0 * v10;
  b1[v8] = v11;
}
`,
  );
});

Deno.test("emitWgsl() folds a large grid, and groups beyond the true number leave", () => {
  const kernel = build(1, 100_000, (b) => b.phase(() => b.store(ref("y", "i32", 100_000), b.group, b.group)));
  assert.deepEqual(bodyOf(kernel), [
    "let linear = wid.x + wid.y * grid.x;",
    "if (linear >= uniforms[0].x) { return; }",
    "let group = i32(linear);",
    "b0[group] = group;",
  ]);
  assert.deepEqual([...encodeUniforms(kernel, [], 70_000)], [70_000, 0, 0, 0]);
});

Deno.test("emitWgsl() has no uniform block where a kernel needs none", () => {
  const kernel = build(1, 3, (b) => b.phase(() => b.store(ref("y", "i32", 3), b.group, b.int(7))));
  assert.deepEqual(uniformWords(kernel), []);
  assert.equal(encodeUniforms(kernel, [], 3).length, 0);
  assert.deepEqual(declarationsOf(kernel), [
    "@group(0) @binding(0) var<storage, read_write> b0: array<i32, 3>;",
  ]);
});

Deno.test("uniformWords() lists the group count, parameters in order, and each literal bound once", () => {
  const kernel = build(1, 1, (b) => {
    const keep = b.array("lane", wide("i32", 1), 1);
    b.phase(() => {
      for (const to of [9, 5, 9]) b.for(b.int(0), b.int(to), 1, (v) => b.set(keep, 0, v));
      b.set(keep, 0, b.param("second", "i32", -3, -5, 5));
      b.if(b.lt(b.int(0), b.param("n", "i32", 2, 0, 5)), () => b.set(keep, 0, b.int(0)));
    });
  });
  assert.deepEqual(uniformWords(kernel).map((word) => word.kind === "param" ? word.name : word.kind), [
    "groups",
    "p0",
    "p1",
    "bound",
    "bound",
  ]);
  assert.deepEqual([...encodeUniforms(kernel, [-3, 2], 1)], [1, 2 ** 32 - 3, 2, 9, 5, 0, 0, 0]);
});

Deno.test("emitWgsl() declares a buffer by vec4 as soon as one access is, and scalar accesses pick a component", () => {
  const kernel = build(4, 1, (b) => {
    const x = ref("x", "f32", 18);
    b.phase(() => {
      const four = b.load(x, b.mul(b.lane, 4), 4);
      const last = b.load(x, b.int(17), 1);
      const any = b.load(x, b.lane, 1);
      b.store(ref("y", "f32", 4), b.lane, b.binary("add", b.component(four, 0), b.binary("add", last, any)));
    });
  });
  assert.equal(
    declarationsOf(kernel)[0],
    "@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>, 5>;",
  );
  const body = bodyOf(kernel);
  assert(body.includes("let v2 = b0[4].y;"), body.join("\n"));
  assert(body.includes("let v3 = b0[lane >> 2u][lane & 3i];"), body.join("\n"));
});

Deno.test("emitWgsl() keeps bool as u32", () => {
  const kernel = build(4, 1, (b) => {
    b.phase(() =>
      b.store(ref("y", "bool", 4), b.lane, b.unary("not", b.load(ref("x", "bool", 4), b.lane, 1)))
    );
  });
  assert.deepEqual(bodyOf(kernel).slice(1), [
    "let v0 = b0[lane] != 0u;",
    "let v1 = !v0;",
    "b1[lane] = u32(v1);",
  ]);
});

Deno.test("emitWgsl() packs f16 in pairs without the feature, and uses it where it is there", () => {
  const copy = (width: 1 | 4) =>
    build(4, 1, (b) => {
      b.phase(() => {
        const at = b.mul(b.lane, width);
        b.store(ref("y", "f16", 16), at, b.load(ref("x", "f16", 16), at, width));
      });
    });
  assert.deepEqual(declarationsOf(copy(4)), [
    "@group(0) @binding(0) var<storage, read> b0: array<u32, 8>;",
    "@group(0) @binding(1) var<storage, read_write> b1: array<u32, 8>;",
  ]);
  assert.deepEqual(bodyOf(copy(4)).slice(2), [
    "let v1 = vec4<f32>(unpack2x16float(b0[v0 >> 1u]), unpack2x16float(b0[(v0 >> 1u) + 1i]));",
    "b1[v0 >> 1u] = pack2x16float(v1.xy);",
    "b1[(v0 >> 1u) + 1i] = pack2x16float(v1.zw);",
  ]);
  assert.equal(
    declarationsOf(copy(1))[1],
    "@group(0) @binding(1) var<storage, read_write> b1: array<atomic<u32>, 8>;",
  );
  assert.deepEqual(bodyOf(copy(1)).slice(1), [
    "let v0 = unpack2x16float(b0[lane >> 1u] >> (u32(lane & 1i) << 4u)).x;",
    "atomicAnd(&b1[lane >> 1u], 0xffff0000u >> (u32(lane & 1i) << 4u));",
    "atomicOr(&b1[lane >> 1u], pack2x16float(vec2<f32>(v0, 0f)) << (u32(lane & 1i) << 4u));",
  ]);
  assert.equal(emitWgsl(copy(1), halves).split("\n")[0], "enable f16;");
  assert.deepEqual(bodyOf(copy(1), halves).slice(1), ["let v0 = f32(b0[lane]);", "b1[lane] = f16(v0);"]);
});

Deno.test("emitWgsl() computes what is literal itself, and takes special floats from their bits", () => {
  const y = { name: "y", dtype: "f32", size: 4, access: "write" } as const;
  const exp = { kind: "unary", type: wide("f32", 1), op: "exp", arg: literal("f32", 0) } as const;
  const huge = binary("mul", literal("f32", 3e38), literal("f32", 10));
  const store = (at: number, value: Parameters<typeof binary>[1]) =>
    ({ kind: "store", buffer: "y", index: int(at), value }) as const;
  const kernel = phaseKernel([
    bind(exp),
    bind(huge),
    store(0, exp),
    store(1, huge),
    store(2, literal("f32", (2 - 2 ** -23) * 2 ** 127)),
    store(3, literal("f32", -1e-40)),
  ], { buffers: [y] });
  assert.deepEqual(bodyOf(kernel), [
    "var f0_bits = 0x7f800000u;",
    "let f0 = bitcast<f32>(f0_bits);",
    "var f1_bits = 0x800116c2u;",
    "let f1 = bitcast<f32>(f1_bits);",
    "b0[0i] = 1.0f;",
    "b0[1i] = f0;",
    "b0[2i] = 0x1.fffffep+127f;",
    "b0[3i] = f1;",
  ]);
});

Deno.test("emitWgsl() writes divisions and shifts that WGSL would refuse as literals", () => {
  const y = { name: "y", dtype: "i32", size: 4, access: "write" } as const;
  const values = [
    binary("div", group, int(0)),
    binary("rem", group, int(0)),
    binary("shl", group, int(33)),
    binary("add", group, int(-2147483648)),
  ];
  const kernel = phaseKernel([
    ...values.map(bind),
    ...values.map((value, i) => ({ kind: "store", buffer: "y", index: int(i), value }) as const),
  ], { buffers: [y] });
  assert.deepEqual(bodyOf(kernel).slice(1, 5), [
    "let v0 = group;",
    "let v1 = i32(0);",
    "let v2 = group << 1u;",
    "let v3 = group + i32(-2147483648);",
  ]);
});

Deno.test("emitWgsl() gives equal text to kernels that differ in names only", () => {
  const named = (names: readonly [string, string]) =>
    phaseKernel([{
      kind: "store",
      buffer: names[0],
      index: lane,
      value: { kind: "param", type: wide("i32", 1), name: names[1] },
    }], {
      lanes: 4,
      buffers: [{ name: names[0], dtype: "i32", size: 4, access: "write" }],
      params: [{ name: names[1], scalar: "i32", lo: 0, hi: 9 }],
    });
  assert.equal(emitWgsl(named(["y", "n"]), plain), emitWgsl(named(["for", "enable"]), plain));
});

Deno.test("emitWgsl() refuses a kernel whose loops a driver would end early", () => {
  const kernel = build(1, 1, (b) => {
    const keep = b.array("lane", wide("i32", 1), 1);
    b.phase(() => b.for(b.int(0), b.int(70_000), 1, (v) => b.set(keep, 0, v)));
  });
  assert.throws(() => emitWgsl(kernel, { ...plain, loopBound: 65_535 }), CompileError);
  emitWgsl(kernel, { ...plain, loopBound: 70_000 });
});

/** `-` for a phase without a barrier in front of it, `w` and `s` for those with one, in order of appearance. */
function barriers(lanes: number, body: (b: IrBuilder) => void): string {
  const kernel = build(lanes, 1, body);
  const placed = barriersOf(kernel);
  return [...blocksOf(kernel.body)].map((block) =>
    block.kind === "phase" ? { workgroup: "w", storage: "s", none: "-" }[placed.get(block) ?? "none"] : ""
  ).join("");
}

Deno.test("barriersOf() puts one between a phase that writes a shared array and one that touches it", () => {
  const phases = (b: IrBuilder) => {
    const s = b.array("shared", wide("i32", 1), 8);
    const t = b.array("shared", wide("i32", 1), 8);
    b.phase(() => b.set(s, b.lane, b.int(1)));
    b.phase(() => b.set(t, b.lane, b.int(1)));
    b.phase(() => b.set(t, b.lane, b.read(s, b.sub(b.int(7), b.lane))));
    b.phase(() => b.store(ref("y", "i32", 8), b.lane, b.read(s, b.lane)));
    b.phase(() => b.set(s, b.lane, b.int(2)));
  };
  assert.equal(barriers(8, phases), "--w-w");
  assert.equal(barriers(1, phases), "-----");
});

Deno.test("barriersOf() sees that the first phase of a loop follows the last one", () => {
  const phases = (b: IrBuilder) => {
    const s = b.array("shared", wide("i32", 1), 8);
    b.loop(b.int(0), b.int(4), 1, () => {
      b.phase(() => b.set(s, b.lane, b.int(1)));
      b.phase(() => b.store(ref("y", "i32", 8), b.lane, b.read(s, b.sub(b.int(7), b.lane))));
    });
    b.phase(() => b.store(ref("z", "i32", 8), b.lane, b.int(1)));
  };
  // The second phase meets its own store of the turn before.
  assert.equal(barriers(8, phases), "ws-");
});

Deno.test("barriersOf() guards storage that a kernel writes and reads again, with both barriers", () => {
  const y = ref("y", "i32", 8);
  const kernel = build(8, 1, (b) => {
    b.phase(() => b.store(y, b.lane, b.int(1)));
    b.phase(() => b.store(ref("z", "i32", 8), b.lane, b.load(y, b.sub(b.int(7), b.lane), 1)));
  });
  const body = bodyOf(kernel);
  const at = body.indexOf("storageBarrier();");
  assert.equal(body[at + 1], "workgroupBarrier();");
  assert.equal(
    barriers(8, (b) => {
      b.phase(() => b.store(ref("z", "i32", 8), b.lane, b.load(ref("x", "i32", 8), b.lane, 1)));
      b.phase(() => b.store(ref("u", "i32", 8), b.lane, b.load(ref("x", "i32", 8), b.int(3), 1)));
    }),
    "--",
  );
});
