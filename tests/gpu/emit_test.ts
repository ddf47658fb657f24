/** Emitted WGSL on the machine's adapter computes what the interpreter does, and Tint accepts all of it. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { emitWgsl, type WgslOptions } from "../../compiler/emit/wgsl.ts";
import { type HostView, interpret } from "../../compiler/kernel/interpret.ts";
import { type CombineOp, type Instr, type Kernel, literal, wide } from "../../compiler/kernel/ir.ts";
import { printKernel } from "../../compiler/kernel/print.ts";
import { binaryMeaning, unaryMeaning } from "../../compiler/kernel/scalar.ts";
import { type BinaryOp, isFloating, type UnaryOp, type ValueType } from "../../compiler/kernel/value.ts";
import { openAdapter } from "../../runtime/adapter.ts";
import { combineBuffers, combineCases, combineKernel, elements } from "../support/combine_kernels.ts";
import { runOnGpu } from "../support/gpu_kernel.ts";
import { deviceArray, randomKernel } from "../support/random_kernel.ts";
import { bind, build, difference, int, lane, phaseKernel, ref } from "../support/small_kernels.ts";
import { openTint } from "../support/tint.ts";

const { device, adapter } = await openAdapter();
const tint = await openTint();
const plain = { features: { f16: false, subgroups: false } };
const native = { features: { f16: adapter.features.includes("shader-f16"), subgroups: false } };

/** Numbers of adjacent lanes that hand one another values here: all of a subgroup, and some. */
const { subgroupMinSize = 0 } = device.adapterInfo as { readonly subgroupMinSize?: number };
const adjacent = adapter.features.includes("subgroups") ? [4, 8].filter((n) => n <= subgroupMinSize) : [];

/** The kernel's buffers as the device and the interpreter leave them, after Tint has seen the shader. */
async function both(
  kernel: Kernel,
  views: readonly HostView[],
  params: Readonly<Record<string, number>> = {},
  options: WgslOptions = native,
): Promise<{ readonly actual: HostView[]; readonly expected: HostView[] }> {
  const complaint = await tint.complaint(emitWgsl(kernel, options));
  assert.equal(complaint, undefined, `${complaint}\n${emitWgsl(kernel, options)}`);
  const expected = views.map((view) => view.slice());
  interpret(kernel, expected, params);
  return { actual: await runOnGpu(device, kernel, views, params, options), expected };
}

Deno.test("openTint() refuses a shader that is wrong, and says why", async () => {
  assert.match((await tint.complaint("fn f() { let x: i32 = 1.5f; }"))!, /line 1: .*i32/);
  // naga accepts this one: the barrier is not in uniform control flow.
  const wgsl = `@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lid: u32) { if (lid < 2u) { workgroupBarrier(); } }`;
  assert.match((await tint.complaint(wgsl))!, /uniform control flow/);
});

Deno.test("random kernels give the interpreter's results, bit for bit, with f16 and without", async () => {
  const tapes = fc.array(fc.nat(1 << 20), { minLength: 20, maxLength: 160 });
  await fc.assert(
    fc.asyncProperty(tapes, fc.boolean(), async (tape, packed) => {
      const halves = !packed && native.features.f16;
      const { kernel, buffers, params } = randomKernel(tape, { exact: true, halves });
      const { actual, expected } = await both(kernel, buffers(), params, packed ? plain : native);
      const where = differenceOfNumbers(actual, expected);
      assert.equal(where, undefined, `${where}\n${printKernel(kernel)}`);
    }),
    { numRuns: 25 },
  );
});

/** Where two lists of buffers differ; −0 is 0 (SEMANTICS §8). */
const differenceOfNumbers = (actual: readonly HostView[], expected: readonly HostView[]) =>
  difference(actual.map((view) => view.map((x) => x + 0)), expected.map((view) => view.map((x) => x + 0)));

/** Lanes, lanes that combine, and the width of the arrays: a tree or a fold, in whole or in parts of a workgroup. */
const shapes = [[8, 4, 4], [32, 32, 1], [8, 8, 1]] as const;

Deno.test("every combine gives the interpreter's result, by memory and from lane to lane the same one, NaN and infinities included", async () => {
  for (const [i, which] of combineCases.entries()) {
    const [lanes, across, width] = shapes[i % shapes.length]!;
    const kernel = combineKernel(which, lanes, across, width);
    const inputs = which.scalars.map((scalar, component) =>
      Array.from({ length: lanes * elements * width }, (_, k) => stateNumber(which.op, scalar, component, k))
    );
    const buffers = combineBuffers(which.scalars, inputs);
    const { actual, expected } = await both(kernel, buffers);
    const subgroup = adjacent[i % adjacent.length];
    if (subgroup !== undefined) {
      const handed = await both(kernel, buffers, {}, { ...native, subgroup });
      const apart = difference(handed.actual, actual);
      assert.equal(
        apart,
        undefined,
        `${which.op} among ${subgroup} of ${across} lanes, and by memory: ${apart}`,
      );
    }
    expected.forEach((view, buffer) =>
      view.forEach((x, k) => {
        const y = actual[buffer]![k]!;
        const what = `${which.op} of ${which.scalars} over ${across} lanes: [${buffer}][${k}]`;
        assert(isClose(y, x, 1e-4), `${what} is ${y}, not ${x}`);
      })
    );
  }
});

const isClose = (actual: number, expected: number, tolerance: number): boolean =>
  Object.is(actual + 0, expected + 0) || Math.abs(actual - expected) <= tolerance * Math.abs(expected);

/** The k-th number of a component of the states to combine. */
function stateNumber(op: CombineOp, scalar: ValueType, component: number, k: number): number {
  if (scalar === "bool") return k % 3 === 0 ? 1 : 0;
  // Positions for argmax, counts and sums for the others.
  if (component > 0) return op === "argmax" || op === "argmin" ? (k * 7) % 64 : 1 + k % 3;
  if (op === "prod") return scalar === "f32" ? 1 + 2 ** -(k % 20) : 1 + k % 3;
  const specials = [NaN, Infinity, -Infinity, 0, 1, -2, 3, 7, -5];
  if (scalar === "f32" && !hasNoDefinedResult(op)) return specials[(k * 5) % 101 % specials.length]!;
  return scalar === "u32" ? (k * 37) % 101 : (k * 37) % 101 - 50;
}

/** On infinities and NaN: sums, since inf − inf differs between devices, and bare extremes, which may lose NaN. */
const hasNoDefinedResult = (op: CombineOp): boolean =>
  op === "sum" || op === "moments" || op === "maxFast" || op === "minFast";

/** Operands of each type, in a buffer each. */
const operands: { readonly [T in ValueType]: readonly number[] } = {
  f32: [1, -1, 0.5, 2.5, -2.5, 3, 7.25, -0.75],
  // Some pairs of which overflow, or have to be rounded.
  f16: [1, -1, 0.5, 2049, -2.5, 60000, 0.0999755859375, -0.75],
  i32: [1, -1, 0, 7, -7, 2147483647, -2147483648, 33],
  u32: [1, 0, 7, 4294967295, 2147483648, 33, 100, 3],
  bool: [0, 1, 1, 0, 0, 1, 0, 1],
};
const count = 8;

/** Applies an op, lane by lane, to all pairs of operands; scalars, or vec4s of neighboring pairs. */
function pairsKernel(
  scalar: ValueType,
  result: ValueType,
  width: 1 | 4,
  make: (a: Instr, b: Instr) => Instr,
): Kernel {
  return build(count * count / width, 1, (b) => {
    b.phase(() => {
      const at = b.mul(b.lane, width);
      const a = b.cast(scalar, b.load(ref("a", scalar, count * count), at, width));
      const c = b.cast(scalar, b.load(ref("c", scalar, count * count), at, width));
      const made = make(a, c);
      // The builder knows only what it has made itself.
      const value = made.kind === "binary"
        ? b.binary(made.op, made.a, made.b)
        : made.kind === "unary"
        ? b.unary(made.op, made.arg)
        : made.kind === "bitcast"
        ? b.bitcast(result, a)
        : b.cast(result, a);
      b.store(ref("y", result, count * count), at, result === "f16" ? b.cast("f32", value) : value);
    });
  });
}

/** The types of a table that this device can compute in. */
const typesOf = (table: { readonly [T in ValueType]?: unknown }): ValueType[] =>
  (Object.keys(table) as ValueType[]).filter((type) => type !== "f16" || native.features.f16);

async function checkPairs(
  name: string,
  scalar: ValueType,
  result: ValueType,
  make: (a: Instr, b: Instr) => Instr,
) {
  for (const width of [1, 4] as const) {
    const kernel = pairsKernel(scalar, result, width, make);
    const views = kernel.buffers.map(({ access, dtype }, i) => {
      const view = deviceArray(dtype, count * count);
      if (access === "read") {
        view.set(view.map((_, k) => operands[scalar][i === 0 ? k >> 3 : k & 7]!) as never);
      }
      return view;
    });
    const { actual, expected } = await both(kernel, views);
    expected.at(-1)!.forEach((x, i) => {
      const y = actual.at(-1)![i]!;
      assert(isClose(y, x, 1e-5), `${name} of ${scalar}, width ${width}, pair ${i}: ${y}, not ${x}`);
    });
  }
}

Deno.test("every binary op gives scalar.ts's result on pairs of operands, overflow and division by zero included", async () => {
  for (const op of Object.keys(binaryMeaning) as BinaryOp[]) {
    for (const scalar of typesOf(binaryMeaning[op])) {
      const result = op === "lt" || op === "le" || op === "eq" || op === "ne" ? "bool" : scalar;
      await checkPairs(op, scalar, result, (a, b) => ({ kind: "binary", type: a.type, op, a, b }));
    }
  }
});

Deno.test("every unary op gives scalar.ts's result", async () => {
  for (const op of Object.keys(unaryMeaning) as UnaryOp[]) {
    for (const scalar of typesOf(unaryMeaning[op])) {
      // NaN comes of the negative operands, and drivers differ there.
      const isPartial = op === "log" || op === "log2" || op === "sqrt" || op === "inverseSqrt";
      if (isPartial) continue;
      await checkPairs(op, scalar, scalar, (arg) => ({ kind: "unary", type: arg.type, op, arg }));
    }
  }
});

Deno.test("casts and bitcasts between all types give scalar.ts's result where it is defined", async () => {
  for (const from of typesOf(operands)) {
    for (const to of typesOf(operands)) {
      // A negative float has no u32, and few integers are halves.
      if (from === to || (isFloating(from) && to === "u32")) continue;
      await checkPairs(`cast to ${to}`, from, to, (arg) => ({ kind: "cast", type: arg.type, arg }));
      if (from === "bool" || from === "f16" || to !== "i32" && to !== "u32") continue;
      await checkPairs(`bitcast to ${to}`, from, to, (arg) => ({ kind: "bitcast", type: arg.type, arg }));
    }
  }
});

Deno.test("special literals survive: NaN, infinities, the largest and the smallest normal number", async () => {
  const values = [NaN, Infinity, -Infinity, (2 - 2 ** -23) * 2 ** 127, 2 ** -126, -0.1, 1e-7, 16777216];
  const y = { name: "y", dtype: "f32", size: values.length, access: "write" } as const;
  const stores = values.map((value, i) =>
    ({ kind: "store", buffer: "y", index: int(i), value: literal("f32", value) }) as const
  );
  const { actual, expected } = await both(phaseKernel(stores, { buffers: [y] }), [
    new Float32Array(values.length),
  ]);
  assert.deepEqual([...actual[0]!], [...expected[0]!]);
});

Deno.test("operations on vec4 literals are left to run time, where they may overflow", async () => {
  const y = { name: "y", dtype: "f32", size: 4, access: "write" } as const;
  const huge = { kind: "splat", type: wide("f32", 4), arg: literal("f32", 3e38) } as const;
  const sum = { kind: "binary", type: huge.type, op: "add", a: huge, b: huge } as const;
  const zero = { kind: "splat", type: wide("i32", 4), arg: int(0) } as const;
  const none = { kind: "binary", type: zero.type, op: "div", a: zero, b: zero } as const;
  const kernel = phaseKernel([
    ...[huge, sum, zero, none].map(bind),
    { kind: "store", buffer: "y", index: int(0), value: sum },
  ], { buffers: [y] });
  const { actual } = await both(kernel, [new Float32Array(4)]);
  assert.deepEqual([...actual[0]!], [Infinity, Infinity, Infinity, Infinity]);
});

Deno.test("a grid beyond 65,535 groups is folded, and groups beyond the last do nothing", async () => {
  const kernel = build(
    1,
    70_000,
    (b) => b.phase(() => b.store(ref("y", "i32", 70_000), b.group, b.add(b.group, 1))),
  );
  const [y] = await runOnGpu(device, kernel, [new Int32Array(70_000)], {}, plain, 65_537);
  assert(y!.every((x, i) => x === (i < 65_537 ? i + 1 : 0)));
});

Deno.test("shared memory is what the phase before wrote, in each turn of a loop", async () => {
  const kernel = build(64, 4, (b) => {
    const s = b.array("shared", wide("i32", 1), 64);
    const sum = b.array("lane", wide("i32", 1), 1);
    b.phase(() => b.set(sum, 0, b.int(0)));
    b.loop(b.int(0), b.int(20), 1, (k) => {
      b.phase(() => b.set(s, b.lane, b.mul(k, b.add(b.lane, b.group))));
      b.phase(() => b.set(sum, 0, b.add(b.read(sum, 0), b.read(s, b.sub(b.int(63), b.lane)))));
    });
    b.phase(() => b.store(ref("y", "i32", 256), b.add(b.mul(b.group, 64), b.lane), b.read(sum, 0)));
  });
  const { actual, expected } = await both(kernel, [new Int32Array(256)]);
  assert.equal(difference(actual, expected), undefined);
});

Deno.test("a scalar store to an array of vec4 leaves its neighbors alone", async () => {
  const y = { name: "y", dtype: "f32", size: 24, access: "read_write" } as const;
  const index = { kind: "binary", type: wide("i32", 1), op: "add", a: lane, b: int(16) } as const;
  const load = { kind: "load", type: wide("f32", 4), buffer: "y", index: int(0) } as const;
  const kernel = phaseKernel([
    bind(load),
    bind(index),
    { kind: "store", buffer: "y", index, value: literal("f32", 5) },
  ], { lanes: 5, buffers: [y] });
  const { actual, expected } = await both(kernel, [new Float32Array(24).fill(1)]);
  assert.equal(difference(actual, expected), undefined);
});
