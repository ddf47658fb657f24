/** The definition of kernel IR, sentence by sentence. */

import assert from "node:assert/strict";
import { interpret } from "../../../compiler/kernel/interpret.ts";
import { literal, wide } from "../../../compiler/kernel/ir.ts";
import {
  binary,
  binaryOf,
  bind,
  build,
  evaluate,
  group,
  int,
  interpreted,
  lane,
  phase,
  phaseKernel,
  ref,
  run,
} from "../../support/small_kernels.ts";

const MIN = -2147483648;
const MAX = 2147483647;

Deno.test("interpret() wraps i32 and u32 where they overflow", () => {
  assert.equal(binaryOf("add", "i32", MAX, 1), MIN);
  assert.equal(binaryOf("sub", "u32", 0, 1), 4294967295);
  assert.equal(binaryOf("mul", "i32", 65536, 65536), 0);
  assert.equal(binaryOf("mul", "u32", 4294967295, 4294967295), 1);
  assert.equal(run({ kind: "unary", type: wide("i32", 1), op: "neg", arg: int(MIN) }), MIN);
  assert.equal(run({ kind: "unary", type: wide("i32", 1), op: "abs", arg: int(MIN) }), MIN);
});

Deno.test("interpret() divides integers as SEMANTICS §7 says, zero and MIN / −1 included", () => {
  assert.equal(binaryOf("div", "i32", -7, 2), -3);
  assert.equal(binaryOf("rem", "i32", -7, 2), -1);
  assert.equal(binaryOf("div", "i32", 5, 0), 5);
  assert.equal(binaryOf("rem", "i32", 5, 0), 0);
  assert.equal(binaryOf("div", "i32", MIN, -1), MIN);
  assert.equal(binaryOf("rem", "i32", MIN, -1), 0);
  assert.equal(binaryOf("div", "u32", 4294967295, 2), 2147483647);
  assert.equal(binaryOf("div", "u32", 7, 0), 7);
});

Deno.test("interpret() takes shift counts mod 32, and shifts i32 arithmetically", () => {
  assert.equal(binaryOf("shl", "i32", 1, 33), 2);
  assert.equal(binaryOf("shr", "i32", -8, 1), -4);
  assert.equal(binaryOf("shr", "u32", 4294967288, 1), 2147483644);
});

Deno.test("interpret() rounds f32 after each operation", () => {
  assert.equal(binaryOf("add", "f32", 16777216, 1), 16777216);
  assert.equal(binaryOf("div", "f32", 1, 3), Math.fround(1 / 3));
  assert.equal(binaryOf("mul", "f32", 1e38, 10), Infinity);
});

Deno.test("interpret() rounds half to even", () => {
  for (
    const [x, rounded] of [[0.5, 0], [1.5, 2], [2.5, 2], [-1.5, -2], [2.4, 2], [8388609, 8388609]] as const
  ) {
    assert.equal(run({ kind: "unary", type: wide("f32", 1), op: "round", arg: literal("f32", x) }), rounded);
  }
});

Deno.test("interpret() loses NaN in a bare max, as some drivers do", () => {
  assert.equal(binaryOf("max", "f32", 1, NaN), 1);
  assert(Number.isNaN(binaryOf("max", "f32", NaN, 1)));
});

Deno.test("interpret() casts floats to integers by truncation and saturation, and NaN to 0", () => {
  const cast = (to: "i32" | "u32" | "bool", x: number) =>
    run({ kind: "cast", type: wide(to, 1), arg: literal("f32", x) });
  assert.equal(cast("i32", -2.9), -2);
  assert.equal(cast("i32", 1e20), MAX);
  assert.equal(cast("i32", NaN), 0);
  assert.equal(cast("u32", -1), 0);
  assert.equal(cast("u32", 1e20), 4294967295);
  assert.equal(cast("bool", NaN), 1);
  assert.equal(cast("bool", -0), 0);
});

Deno.test("interpret() keeps bits in a bitcast", () => {
  assert.equal(run({ kind: "bitcast", type: wide("u32", 1), arg: literal("f32", 1) }), 0x3f800000);
  assert.equal(run({ kind: "bitcast", type: wide("f32", 1), arg: int(0x40000000) }), 2);
});

Deno.test("interpret() rounds to f16 where a value is stored, and widens it where it is loaded", () => {
  assert.equal(evaluate("f16", (b) => b.literal("f32", 0.1)), 0.0999755859375);
  assert.equal(evaluate("f16", (b) => b.literal("f32", 1e6)), Infinity);
});

Deno.test("interpret() stores bool as 0 and 1, and loads any other word as true", () => {
  const kernel = build(1, 1, (b) => {
    b.phase(() => b.store(ref("y", "bool", 1), b.int(0), b.load(ref("x", "bool", 1), b.int(0), 1)));
  });
  // The builder numbers buffers in order of use: the load comes first.
  assert.deepEqual(interpreted(kernel, [new Uint32Array([7]), new Uint32Array(1)])[1], new Uint32Array([1]));
});

Deno.test("interpret() runs every lane of every group, and every phase after the one before", () => {
  const kernel = build(4, 2, (b) => {
    const s = b.array("shared", wide("i32", 1), 4);
    b.phase(() => b.set(s, b.lane, b.add(b.lane, b.mul(b.group, 10))));
    b.phase(() => {
      const mirrored = b.read(s, b.sub(b.int(3), b.lane));
      b.store(ref("y", "i32", 8), b.add(b.mul(b.group, 4), b.lane), mirrored);
    });
  });
  assert.deepEqual(interpreted(kernel, [new Int32Array(8)]), [new Int32Array([3, 2, 1, 0, 13, 12, 11, 10])]);
});

Deno.test("interpret() runs only the groups it is asked for", () => {
  const kernel = build(1, 4, (b) => b.phase(() => b.store(ref("y", "i32", 4), b.group, b.int(1))));
  const y = new Int32Array(4);
  interpret(kernel, [y], {}, 2);
  assert.deepEqual(y, new Int32Array([1, 1, 0, 0]));
  assert.throws(() => interpret(kernel, [y], {}, 5), /5 groups of at most 4/);
});

Deno.test("interpret() gives each turn of a loop its variable, also where bounds differ between lanes", () => {
  const kernel = build(4, 1, (b) => {
    const sum = b.array("lane", wide("i32", 1), 1);
    b.phase(() => {
      b.set(sum, 0, b.int(0));
      b.for(b.lane, b.int(7), 3, (v) => b.set(sum, 0, b.add(b.read(sum, 0), v)));
      b.store(ref("y", "i32", 4), b.lane, b.read(sum, 0));
    });
  });
  assert.deepEqual(interpreted(kernel, [new Int32Array(4)]), [
    new Int32Array([0 + 3 + 6, 1 + 4, 2 + 5, 3 + 6]),
  ]);
});

Deno.test("interpret() refuses an access outside a buffer, a vec4 that is not aligned, and an unset element", () => {
  const buffers = [{ name: "y", dtype: "f32", size: 8, access: "read_write" }] as const;
  const load = (index: number, width: 1 | 4) =>
    phaseKernel([bind({ kind: "load", type: wide("f32", width), buffer: "y", index: int(index) })], {
      buffers,
    });
  const views = [new Float32Array(8)];
  assert.throws(() => interpret(load(8, 1), views, {}), /y\[8\] is outside its 8 elements/);
  assert.throws(() => interpret(load(-1, 1), views, {}), /y\[-1\] is outside/);
  assert.throws(() => interpret(load(2, 4), views, {}), /no place for a vec4/);
  const array = { name: "r", space: "lane", type: wide("f32", 1), length: 2, dynamic: false } as const;
  const read = phaseKernel([bind({ kind: "read", type: array.type, array, index: int(1) })], {
    arrays: [array],
  });
  assert.throws(() => interpret(read, [], {}), /r\[1\] is read and was never set/);
});

Deno.test("interpret() refuses a value from another phase, and a parameter outside its bounds", () => {
  const value = binary("add", lane, int(1));
  const array = { name: "r", space: "lane", type: wide("i32", 1), length: 1, dynamic: false } as const;
  const kernel = phaseKernel([], {
    arrays: [array],
    body: [phase(bind(value)), phase({ kind: "set", array, index: int(0), value })],
  });
  assert.throws(() => interpret(kernel, [], {}), /out of scope/);
  const params = [{ name: "n", scalar: "i32", lo: 0, hi: 8, multiple: 4 }] as const;
  assert.throws(() => interpret(phaseKernel([], { params }), [], { n: 9 }), /n = 9 is outside \[0, 8\]/);
  assert.throws(() => interpret(phaseKernel([], { params }), [], { n: 6 }), /no multiple of 4/);
  assert.throws(() => interpret(phaseKernel([], { params }), [], {}), /n is missing/);
});

Deno.test("interpret() finds lanes of a phase that race on a shared element, and groups that race on a buffer", () => {
  const array = { name: "s", space: "shared", type: wide("i32", 1), length: 4, dynamic: true } as const;
  const plusOne = binary("add", lane, int(1));
  const next = binary("and", plusOne, int(3));
  const read = { kind: "read", type: array.type, array, index: next } as const;
  const neighbor = [plusOne, next, read].map(bind);
  const set = { kind: "set", array, index: lane, value: lane } as const;
  const racing = phaseKernel([], { lanes: 4, arrays: [array], body: [phase(set), phase(...neighbor, set)] });
  assert.throws(() => interpret(racing, [], {}), /lane 1 races with another on s\[1\]/);
  const apart = phaseKernel([], {
    lanes: 4,
    arrays: [array],
    body: [phase(set), phase(...neighbor), phase(set)],
  });
  interpret(apart, [], {});

  const buffers = [{ name: "y", dtype: "i32", size: 4, access: "write" }] as const;
  const store = { kind: "store", buffer: "y", index: int(0), value: group } as const;
  assert.throws(
    () => interpret(phaseKernel([store], { groups: 2, buffers }), [new Int32Array(4)], {}),
    /group 1 races with another on y\[0\]/,
  );
});
