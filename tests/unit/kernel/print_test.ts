/** The text form of kernels: small goldens, and that the text says everything that matters. */

import assert from "node:assert/strict";
import { literal, wide } from "../../../compiler/kernel/ir.ts";
import { printKernel, showF32, showLiteral } from "../../../compiler/kernel/print.ts";
import { build, int, phaseKernel, ref } from "../../support/small_kernels.ts";

Deno.test("printKernel() shows declarations, blocks and numbered values", () => {
  const kernel = build(8, 4, (b) => {
    const sum = b.array("lane", wide("f32", 4), 1);
    const n = b.param("length", "i32", 64, 0, 64);
    const base = b.uniform(() => b.mul(b.group, 64));
    b.phase(() => {
      b.set(sum, 0, b.widen(b.literal("f32", 0), 4));
      b.for(b.mul(b.lane, 4), n, 32, (v) => {
        const x = b.load(ref("x", "f32", 256), b.add(base, v), 4);
        b.set(sum, 0, b.binary("add", b.read(sum, 0), x));
      });
    });
    b.combine("sum", [sum], 8);
    b.phase(() => {
      b.if(b.binary("eq", b.lane, b.int(0)), () => {
        b.store(ref("y", "f32", 4), b.group, b.component(b.read(sum, 0), 0));
      });
    });
  });
  assert.equal(
    printKernel(kernel),
    `\
kernel lanes 8, groups 4
param p0: i32 in [0, 64]
buffer b0: f32[256] read
buffer b1: f32[4] write
array r0: lane f32x4[1]
uniform {
  %0 = mul group, 64 : i32
}
phase {
  %1 = splat 0f : f32x4
  r0[0] = %1
  %2 = mul lane, 4 : i32
  for i0 = %2 to p0 step 32 {
    %3 = add %0, i0 : i32
    %4 = load b0[%3] : f32x4
    %5 = read r0[0] : f32x4
    %6 = add %5, %4 : f32x4
    r0[0] = %6
  }
}
combine sum(r0) across 8
phase {
  %7 = eq lane, 0 : bool
  if %7 {
    %8 = read r0[0] : f32x4
    %9 = component %8, 0 : f32
    store b1[group] = %9
  }
}
`,
  );
});

Deno.test("printKernel() tells −0 from 0, and one NaN from another", () => {
  assert.equal(showLiteral(literal("f32", -0)), "-0f");
  assert.equal(showLiteral(literal("f32", NaN)), "f32(0x7fc00000)");
  assert.equal(showLiteral({ ...literal("f32", NaN), bits: 0x7fc00001 }), "f32(0x7fc00001)");
  assert.equal(showLiteral(literal("u32", 3)), "3u");
  assert.equal(showLiteral(literal("bool", 1)), "true");
});

Deno.test("showF32() gives the shortest decimal that reads back", () => {
  assert.equal(showF32(Math.fround(0.1)), "0.1");
  assert.equal(showF32(16777216), "16777216");
  assert.equal(showF32(Math.fround(1 / 3)), "0.33333334");
  for (let i = 0; i < 2000; i++) {
    const x = Math.fround((Math.sin(i) * 1e3) ** (1 + i % 5) * 2 ** (i % 90 - 45));
    assert.equal(Math.fround(Number(showF32(x))), x);
  }
});

Deno.test("printKernel() includes whatever tells two kernels apart", () => {
  const y = { name: "y", dtype: "i32", size: 4, access: "write" } as const;
  const store = (index: number) =>
    ({ kind: "store", buffer: "y", index: int(index), value: int(1) }) as const;
  const params = [{ name: "n", scalar: "i32", lo: 0, hi: 8 }] as const;
  const array = { name: "r", space: "lane", type: wide("f32", 1), length: 2, dynamic: false } as const;
  const texts = [
    phaseKernel([store(0)], { buffers: [y] }),
    phaseKernel([store(1)], { buffers: [y] }),
    phaseKernel([store(0)], { buffers: [{ ...y, size: 5 }] }),
    phaseKernel([store(0)], { buffers: [{ ...y, access: "read_write" }] }),
    phaseKernel([store(0)], { buffers: [y], lanes: 2 }),
    phaseKernel([store(0)], { buffers: [y], groups: 2 }),
    phaseKernel([store(0)], { buffers: [y], params }),
    phaseKernel([store(0)], { buffers: [y], params: [{ ...params[0], hi: 9 }] }),
    phaseKernel([store(0)], { buffers: [y], params: [{ ...params[0], multiple: 4 }] }),
    phaseKernel([store(0)], { buffers: [y], arrays: [array] }),
    phaseKernel([store(0)], { buffers: [y], arrays: [{ ...array, dynamic: true }] }),
  ].map(printKernel);
  assert.equal(new Set(texts).size, texts.length);
});
