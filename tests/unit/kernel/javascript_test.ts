/** Emitted JavaScript does what the interpreter does, to the bit. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { compileJavaScript, emitJavaScript } from "../../../compiler/emit/javascript.ts";
import { interpret } from "../../../compiler/kernel/interpret.ts";
import { wide } from "../../../compiler/kernel/ir.ts";
import { printKernel } from "../../../compiler/kernel/print.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { defaultLimits } from "../../../compiler/target.ts";
import { randomKernel } from "../../support/random_kernel.ts";
import { build, difference, ref } from "../../support/small_kernels.ts";

const tapes = fc.array(fc.nat(1 << 20), { minLength: 20, maxLength: 160 });

Deno.test("compileJavaScript() computes what interpret() does, on random kernels, which all verify", () => {
  fc.assert(
    fc.property(tapes, fc.boolean(), fc.boolean(), (tape, exact, halves) => {
      const { kernel, buffers, params } = randomKernel(tape, { exact, halves });
      verifyKernel(kernel, defaultLimits);
      const [expected, actual] = [buffers(), buffers()];
      interpret(kernel, expected, params);
      compileJavaScript(kernel)(actual, params, kernel.groups);
      const where = difference(actual, expected);
      assert.equal(where, undefined, `${where}\n${printKernel(kernel)}`);
    }),
    { numRuns: 150 },
  );
});

Deno.test("emitJavaScript() keeps arrays of a single lane in variables, and has no lane loop", () => {
  const kernel = build(1, 1, (b) => {
    const sum = b.array("lane", wide("f32", 4), 1);
    b.phase(() => {
      b.set(sum, 0, b.widen(b.literal("f32", 0), 4));
      b.for(b.int(0), b.int(16), 4, (v) => {
        b.set(sum, 0, b.binary("add", b.read(sum, 0), b.load(ref("x", "f32", 16), v, 4)));
      });
      b.store(ref("y", "f32", 1), b.int(0), b.component(b.read(sum, 0), 2));
    });
  });
  const body = emitJavaScript(kernel).split("\n").filter((line) => !/Math;|Array\(|=>/.test(line)).join("\n");
  assert.equal(
    body,
    `\
function (buffers, params, groups) {
  "use strict";
  const b0 = buffers[0];
  const b1 = buffers[1];
  let r0_0_0 = 0, r0_0_1 = 0, r0_0_2 = 0, r0_0_3 = 0;
  for (let group = 0; group < groups; group++) {
    {
      r0_0_0 = 0;
      r0_0_1 = 0;
      r0_0_2 = 0;
      r0_0_3 = 0;
      for (let i0 = 0; i0 < 16; i0 += 4) {
        const v0_0 = r0_0_0;
        const v0_1 = r0_0_1;
        const v0_2 = r0_0_2;
        const v0_3 = r0_0_3;
        const v1_0 = b0[i0];
        const v1_1 = b0[i0 + 1];
        const v1_2 = b0[i0 + 2];
        const v1_3 = b0[i0 + 3];
        const v2_0 = fround(v0_0 + v1_0);
        const v2_1 = fround(v0_1 + v1_1);
        const v2_2 = fround(v0_2 + v1_2);
        const v2_3 = fround(v0_3 + v1_3);
        r0_0_0 = v2_0;
        r0_0_1 = v2_1;
        r0_0_2 = v2_2;
        r0_0_3 = v2_3;
      }
      const v3_0 = r0_0_0;
      const v3_1 = r0_0_1;
      const v3_2 = r0_0_2;
      const v3_3 = r0_0_3;
      b1[0] = v3_2;
    }
  }
}`,
  );
});
