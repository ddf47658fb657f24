/** What combining lanes means, and that its expansion into phases means the same. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { combineLevels, identityState } from "../../../compiler/kernel/combine.ts";
import { emitWgsl } from "../../../compiler/emit/wgsl.ts";
import { expandCombines, sharedBytes } from "../../../compiler/kernel/expand_combines.ts";
import { type CombineOp, wide } from "../../../compiler/kernel/ir.ts";
import { printKernel } from "../../../compiler/kernel/print.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { roundTo } from "../../../compiler/graph/dtype.ts";
import { defaultLimits } from "../../../compiler/target.ts";
import type { ValueType } from "../../../compiler/kernel/value.ts";
import {
  combineBuffers,
  type CombineCase,
  combineCases,
  combineKernel,
  elements,
} from "../../support/combine_kernels.ts";
import { build, difference, interpreted } from "../../support/small_kernels.ts";

const numbers: { readonly [T in ValueType]: fc.Arbitrary<number> } = {
  f32: fc.oneof(
    fc.constantFrom(0, -0, 1, -1, Infinity, -Infinity, NaN),
    fc.integer({ min: -40, max: 40 }),
    fc.float({ noNaN: true, min: -100, max: 100 }),
  ),
  f16: fc.integer({ min: -40, max: 40 }),
  i32: fc.oneof(fc.constantFrom(0, -2147483648, 2147483647), fc.integer({ min: -9, max: 9 })),
  u32: fc.oneof(fc.constantFrom(0, 4294967295), fc.nat(9)),
  bool: fc.nat(1),
};

/** Combines scalar states over all lanes; the result on the first lane, per component, of the first element. */
function combined(
  op: CombineOp,
  scalars: readonly ValueType[],
  states: readonly (readonly number[])[],
): number[] {
  const lanes = states.length;
  const inputs = scalars.map((_, c) => states.flatMap((state) => Array<number>(elements).fill(state[c]!)));
  const kernel = combineKernel({ op, scalars }, lanes, lanes, 1);
  const views = interpreted(kernel, combineBuffers(scalars, inputs));
  return scalars.map((_, c) => views[scalars.length + c]![0]!);
}

Deno.test("expandCombines() leaves the result of every combine as it was, bit for bit", () => {
  const anyCase = fc.record({
    which: fc.constantFrom(...combineCases),
    lanes: fc.constantFrom(1, 2, 4, 8, 16, 32, 64, 128),
    narrower: fc.nat(7),
    width: fc.constantFrom<1 | 4>(1, 4),
  });
  fc.assert(
    fc.property(
      anyCase.chain((kind) =>
        fc.tuple(
          fc.constant(kind),
          fc.tuple(
            ...kind.which.scalars.map((scalar) => fc.array(numbers[scalar], { minLength: 1, maxLength: 24 })),
          ),
        )
      ),
      ([{ which, lanes, narrower, width }, pools]) => {
        const inputs = pools.map((pool) =>
          Array.from({ length: lanes * elements * width }, (_, i) => pool[(i * 7) % pool.length]!)
        );
        const across = Math.max(1, lanes >> narrower);
        const kernel = combineKernel(which, lanes, across, width);
        const expanded = expandCombines(kernel);
        verifyKernel(kernel, defaultLimits);
        const buffers = combineBuffers(which.scalars, inputs);
        assert.equal(difference(interpreted(expanded, buffers), interpreted(kernel, buffers)), undefined);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("expandCombines() returns a kernel without combines itself, and nothing for one lane", () => {
  const plain = build(4, 1, (b) => b.array("lane", wide("f32", 1), 1));
  assert.equal(expandCombines(plain), plain);
  const array = { name: "r", space: "lane", type: wide("f32", 1), length: 1, dynamic: false } as const;
  const alone = {
    ...plain,
    arrays: [array],
    body: [{ kind: "combine", op: "sum", arrays: [array], across: 1 }],
  } as const;
  const { body, arrays } = expandCombines(alone);
  assert.deepEqual(body, []);
  assert.deepEqual(arrays, [array]);
});

Deno.test("expandCombines() sends elements through scratch in turns where they don't fit at once", () => {
  const kernel = combineKernel({ op: "sum", scalars: ["f32"] }, 8, 8, 4);
  const shared = (bytes: number) =>
    expandCombines(kernel, bytes).arrays.reduce((sum, a) => sum + sharedBytes(a), 0);
  assert.equal(shared(16384), 8 * elements * 16);
  assert.equal(shared(200), 8 * 16);
  const inputs = [Array.from({ length: 8 * elements * 4 }, (_, i) => i)];
  const buffers = combineBuffers(["f32"], inputs);
  assert.deepEqual(interpreted(expandCombines(kernel, 200), buffers), interpreted(kernel, buffers));
});

Deno.test("expandCombines() folds 16 lanes in three phases", () => {
  const kernel = build(16, 1, (b) => b.combine("sum", [b.array("lane", wide("i32", 1), 1)], 16));
  assert.equal(expandCombines(kernel).body.length, 3);
  const tree = build(2, 1, (b) => b.combine("sum", [b.array("lane", wide("i32", 1), 1)], 2));
  assert.equal(
    printKernel(expandCombines(tree)),
    `\
kernel lanes 2, groups 1
array r0: lane i32[1]
array combine_i32_0: shared i32[2]
phase {
  %0 = read r0[0] : i32
  combine_i32_0[lane] = %0
}
phase {
  %1 = read combine_i32_0[0] : i32
  %2 = read combine_i32_0[1] : i32
  %3 = add %1, %2 : i32
  r0[0] = %3
}
`,
  );
});

Deno.test("combineLevels() shrinks by eight until eight or fewer are left", () => {
  assert.deepEqual(combineLevels(8), []);
  assert.deepEqual(combineLevels(16), [2]);
  assert.deepEqual(combineLevels(128), [16, 2]);
  assert.deepEqual(combineLevels(256), [32, 4]);
});

Deno.test("identityState() changes nothing, on either side", () => {
  const anyCase: fc.Arbitrary<CombineCase> = fc.constantFrom(
    ...combineCases.filter(({ op }) => op !== "moments"),
  );
  fc.assert(fc.property(
    anyCase.chain((which) =>
      fc.tuple(
        fc.constant(which),
        fc.tuple(...which.scalars.map((scalar, c) => c === 0 ? numbers[scalar] : fc.nat(20))),
      )
    ),
    ([{ op, scalars }, state]) => {
      // A NaN maximum makes its sum NaN, and a bare maximum may lose NaN.
      if (Number.isNaN(state[0]) && (op === "maxSumExp" || op === "maxFast" || op === "minFast")) return;
      const identity = identityState(op, scalars.map((scalar) => wide(scalar, 1))).map(({ value }) => value);
      for (const states of [[identity, state], [state, identity]]) {
        const result = combined(op, scalars, states);
        // The sign of a zero may go.
        result.forEach((x, c) => {
          const expected = roundTo(scalars[c]!, state[c]!);
          assert(Object.is(x + 0, expected + 0), `${op}: ${result} of ${states}`);
        });
      }
    },
  ));
});

Deno.test("max and min are NaN where any lane is NaN; on bool they are any and all", () => {
  for (const at of [0, 3, 7]) {
    const states = Array.from({ length: 8 }, (_, i) => [i === at ? NaN : i]);
    assert(Number.isNaN(combined("max", ["f32"], states)[0]));
    assert(Number.isNaN(combined("min", ["f32"], states)[0]));
  }
  assert.deepEqual(combined("max", ["bool"], [[0], [1], [0], [0]]), [1]);
  assert.deepEqual(combined("min", ["bool"], [[1], [1], [0], [1]]), [0]);
});

Deno.test("argmax and argmin give the first extreme, and the first NaN if there is one", () => {
  const order = fc.array(numbers.f32, { minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(order, fc.shuffledSubarray([...Array(16).keys()], { minLength: 16 }), (values, places) => {
      const firstNaN = values.findIndex((x) => Number.isNaN(x));
      // Lanes hold positions in any order.
      const states = places.map((place) => [values[place]!, place]);
      const highest = values.indexOf(Math.max(...values.map((x) => x + 0)) + 0);
      const lowest = values.map((x) => x + 0).indexOf(Math.min(...values.map((x) => x + 0)));
      const argmax = firstNaN >= 0
        ? firstNaN
        : values.map((x) => x + 0).indexOf(values.map((x) => x + 0)[highest]!);
      assert.equal(combined("argmax", ["f32", "i32"], states)[1], argmax);
      assert.equal(combined("argmin", ["f32", "i32"], states)[1], firstNaN >= 0 ? firstNaN : lowest);
    }),
  );
});

Deno.test("maxSumExp keeps sums where maxima are −∞, and is NaN where one is", () => {
  assert.deepEqual(combined("maxSumExp", ["f32", "f32"], [[-Infinity, 0], [-Infinity, 3]]), [-Infinity, 3]);
  assert.deepEqual(combined("maxSumExp", ["f32", "f32"], [[-Infinity, 2], [5, 3]]), [5, 3]);
  assert.deepEqual(combined("maxSumExp", ["f32", "f32"], [[NaN, 1], [5, 3]]), [NaN, NaN]);
  const rows = Array.from({ length: 16 }, (_, i) => Math.fround(Math.sin(i) * 20));
  const [m, s] = combined("maxSumExp", ["f32", "f32"], rows.map((x) => [x, 1]));
  assert.equal(m, Math.max(...rows));
  const sum = rows.reduce((total, x) => total + Math.exp(x - m!), 0);
  assert(Math.abs(s! - sum) < 1e-5 * sum);
});

Deno.test("moments combine to the mean and squared deviations of all, with empty states among them", () => {
  const values = Array.from({ length: 13 }, (_, i) => Math.fround(1000 + Math.cos(i)));
  const states = [...values.map((x) => [1, x, 0]), [0, 0, 0], [0, 0, 0], [0, 0, 0]];
  const [count, mean, squares] = combined("moments", ["f32", "f32", "f32"], states) as [
    number,
    number,
    number,
  ];
  const exact = values.reduce((a, b) => a + b, 0) / 13;
  const deviations = values.reduce((total, x) => total + (x - exact) ** 2, 0);
  assert.equal(count, 13);
  assert(Math.abs(mean - exact) < 1e-3);
  assert(Math.abs(squares - deviations) < 1e-2);
});

Deno.test("emitWgsl() combines without memory where lanes can hand on what they have, and in one exchange where they are more", () => {
  const options = { features: { f16: false, subgroups: true }, subgroup: 8 };
  const text = (lanes: number, scalars: readonly ValueType[] = ["f32"], op: CombineOp = "sum") =>
    emitWgsl(combineKernel({ op, scalars }, lanes, lanes, 1), options);
  const masks = (wgsl: string) =>
    [...wgsl.matchAll(/subgroupShuffleXor\(v\d+, (\d)u\)/g)].map(([, mask]) => mask);
  const few = text(8);
  assert.deepEqual(masks(few), Array(elements).fill(["4", "2", "1"]).flat());
  assert.doesNotMatch(few, /workgroup>|Barrier/);
  const many = text(32);
  assert.deepEqual(masks(many), Array(elements).fill(["4", "2", "1"]).flat());
  assert.equal(many.match(/workgroupBarrier/g)!.length, 1);
  const uneven = emitWgsl(combineKernel({ op: "sum", scalars: ["f32"] }, 8, 8, 1), {
    ...options,
    subgroup: 6,
  });
  assert.deepEqual(masks(uneven), Array(elements).fill(["2", "1"]).flat());
  const any = text(8, ["bool"], "max");
  assert.deepEqual(masks(any), []);
  assert.match(any, /workgroupBarrier/);
});
