/** What the verifier refuses, one test per rule, and what it lets pass. */

import assert from "node:assert/strict";
import {
  type ArrayDecl,
  bool,
  type BufferDecl,
  type Computed,
  f32,
  i32,
  type Instr,
  type Kernel,
  literal,
  type Statement,
  wide,
} from "../../../compiler/kernel/ir.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { defaultLimits } from "../../../compiler/target.ts";
import {
  binary,
  bind,
  build,
  group,
  int,
  lane,
  loopVar,
  phase,
  phaseKernel,
  ref,
} from "../../support/small_kernels.ts";

const x: BufferDecl = { name: "x", dtype: "f32", size: 64, access: "read" };
const y: BufferDecl = { name: "y", dtype: "f32", size: 64, access: "write" };
const buffers = [x, y];
const one = literal("f32", 1);
const load = (index: Instr, width: 1 | 4 = 1, buffer = "x"): Computed => ({
  kind: "load",
  type: wide("f32", width),
  buffer,
  index,
});
const store = (index: Instr, value: Instr, buffer = "y"): Statement => ({
  kind: "store",
  buffer,
  index,
  value,
});
const array = (name: string, rest: Partial<ArrayDecl> = {}): ArrayDecl => ({
  name,
  space: "lane",
  type: f32,
  length: 4,
  dynamic: false,
  ...rest,
});
const read = (of: ArrayDecl, index: Instr): Computed => ({ kind: "read", type: of.type, array: of, index });
const set = (of: ArrayDecl, index: Instr, value: Instr): Statement => ({
  kind: "set",
  array: of,
  index,
  value,
});

const accepts = (kernel: Kernel) => verifyKernel(kernel, defaultLimits);
const refuses = (kernel: Kernel, message: RegExp) => assert.throws(() => accepts(kernel), message);

Deno.test("verifyKernel() accepts a tiled sum with a tail, a combine and a guarded store", () => {
  accepts(build(8, 3, (b) => {
    const sum = b.array("lane", wide("f32", 4), 1);
    const n = b.param("n", "i32", 60, 0, 60);
    const base = b.uniform(() => b.mul(b.group, 60));
    b.phase(() => {
      b.set(sum, 0, b.widen(b.literal("f32", 0), 4));
      b.for(b.int(0), n, 32, (v) => {
        const at = b.add(v, b.mul(b.lane, 4));
        b.if(b.lt(at, b.int(60)), () => {
          const part = b.load(ref("x", "f32", 180), b.add(base, at), 4);
          b.set(sum, 0, b.binary("add", b.read(sum, 0), part));
        });
      });
    });
    b.combine("sum", [sum], 8);
    b.phase(() => {
      b.if(
        b.binary("eq", b.lane, b.int(0)),
        () => b.store(ref("y", "f32", 3), b.group, b.component(b.read(sum, 0), 0)),
      );
    });
  }));
});

Deno.test("verifyKernel() refuses an index that may leave its buffer, and says where and how far", () => {
  const index = binary("add", lane, int(60));
  const kernel = phaseKernel([bind(index), bind(load(index))], { lanes: 8, buffers });
  refuses(
    kernel,
    /the index lies in \[60, 67\] and x has 64 elements\n.*\n.*\n.*\n> +6 \| +%1 = load x\[%0\] : f32/,
  );
});

Deno.test("verifyKernel() refuses an index below 0", () => {
  const index = binary("sub", lane, int(1));
  refuses(phaseKernel([bind(index), bind(load(index))], { lanes: 8, buffers }), /lies in \[-1, 6\]/);
});

Deno.test("verifyKernel() refuses a vec4 that reaches past the end, or may not lie at a multiple of 4", () => {
  refuses(phaseKernel([bind(load(int(64), 4))], { buffers }), /\[64, 64 \+ 3\] and x has 64/);
  refuses(phaseKernel([bind(load(lane, 4))], { lanes: 8, buffers }), /not known to be a multiple of 4/);
});

Deno.test("verifyKernel() takes the multiple of a parameter into account", () => {
  const offset: Instr = { kind: "param", type: i32, name: "offset" };
  const kernel = (multiple: number) =>
    phaseKernel([bind(load(offset, 4))], {
      buffers,
      params: [{ name: "offset", scalar: "i32", lo: 0, hi: 60, multiple }],
    });
  accepts(kernel(8));
  refuses(kernel(6), /not known to be a multiple of 4/);
});

Deno.test("verifyKernel() proves an access by the condition around it, and not by its other branch", () => {
  const index = binary("mul", lane, int(10));
  const condition = binary("lt", index, int(64), bool);
  const guarded = (then: readonly Statement[], otherwise: readonly Statement[]) =>
    phaseKernel([bind(index), bind(condition), { kind: "if", condition, then, otherwise }], {
      lanes: 8,
      buffers,
    });
  accepts(guarded([bind(load(index))], []));
  refuses(guarded([], [bind(load(index))]), /lies in \[70, 70\]/);
});

Deno.test("verifyKernel() leaves alone what is never reached", () => {
  const condition = binary("lt", lane, int(0), bool);
  accepts(
    phaseKernel([bind(condition), { kind: "if", condition, then: [bind(load(int(99)))], otherwise: [] }], {
      lanes: 8,
      buffers,
    }),
  );
});

Deno.test("verifyKernel() refuses a value outside the list that binds it", () => {
  const value = load(int(0));
  const condition = literal("bool", 1);
  refuses(
    phaseKernel([{ kind: "if", condition, then: [bind(value)], otherwise: [] }, store(int(0), value)], {
      buffers,
    }),
    /a load is used outside the list that binds it/,
  );
  refuses(
    phaseKernel([], { buffers, body: [phase(bind(value)), phase(store(int(0), value))] }),
    /outside the list/,
  );
  refuses(phaseKernel([store(int(0), value), bind(value)], { buffers }), /outside the list/);
  refuses(phaseKernel([bind(value), bind(value)], { buffers }), /bound twice/);
});

Deno.test("verifyKernel() refuses a loop variable outside its loop", () => {
  const v = loopVar();
  refuses(phaseKernel([bind(load(v))], { buffers }), /the variable i is used outside its loop/);
});

Deno.test("verifyKernel() refuses a uniform value or a loop of blocks that differs between lanes", () => {
  const value = binary("add", lane, int(1));
  refuses(
    phaseKernel([], { lanes: 8, body: [{ kind: "uniform", lets: [bind(value)] }] }),
    /differs between lanes/,
  );
  const loop = { kind: "loop", variable: loopVar(), from: int(0), to: lane, step: 1, body: [] } as const;
  refuses(phaseKernel([], { lanes: 8, body: [loop] }), /bounds of a loop of blocks differ between lanes/);
});

Deno.test("verifyKernel() lets a uniform value be loaded from what nobody writes", () => {
  const value = load(group);
  accepts(phaseKernel([], { groups: 64, buffers, body: [{ kind: "uniform", lets: [bind(value)] }] }));
  const inout = [{ ...x, access: "read_write" as const }];
  refuses(
    phaseKernel([], { buffers: inout, body: [{ kind: "uniform", lets: [bind(load(int(0)))] }] }),
    /not read-only/,
  );
  const r = array("r");
  refuses(
    phaseKernel([], { arrays: [r], body: [{ kind: "uniform", lets: [bind(read(r, int(0)))] }] }),
    /r is read outside a phase/,
  );
});

Deno.test("verifyKernel() refuses operations on types that don't have them", () => {
  const wrong = (instr: Computed, message: RegExp) =>
    refuses(phaseKernel([bind(instr)], { buffers }), message);
  wrong({ kind: "unary", type: i32, op: "exp", arg: int(1) }, /exp is not defined for i32/);
  wrong(binary("add", one, int(1)), /add of f32 and i32/);
  wrong(binary("lt", one, one, f32), /the result is bool, not f32/);
  wrong({ kind: "select", type: f32, condition: int(1), then: one, otherwise: one }, /the condition is i32/);
  wrong({ kind: "cast", type: wide("i32", 4), arg: one }, /a cast changes the width/);
  wrong({ kind: "bitcast", type: bool, arg: one }, /bool has no 32 bits/);
  wrong(load(one), /the index is f32, not i32/);
  wrong({ ...load(int(0)), type: i32 } as Computed, /the result is f32, not i32/);
  wrong({ kind: "component", type: f32, arg: one, index: 0 }, /a component of a scalar/);
  wrong(
    { kind: "construct", type: wide("f32", 4), args: [one, one, one, int(1)] },
    /parts of different types/,
  );
});

Deno.test("verifyKernel() refuses a store to what is read, a load from what is written, and values of other types", () => {
  refuses(phaseKernel([store(int(0), one, "x")], { buffers }), /a store to x, which is only read/);
  refuses(phaseKernel([bind(load(int(0), 1, "y"))], { buffers }), /a load from y, which is only written/);
  refuses(phaseKernel([store(int(0), int(1))], { buffers }), /a i32 is stored to y, which holds f32/);
  refuses(phaseKernel([store(int(0), one, "z")], { buffers }), /there is no buffer z/);
  const r = array("r");
  refuses(phaseKernel([set(r, int(0), int(1))], { arrays: [r] }), /a i32 is set in r, which holds f32/);
  refuses(phaseKernel([set(r, int(0), one)]), /there is no array r/);
});

Deno.test("verifyKernel() wants literals as indices of arrays in registers", () => {
  const [r, m] = [array("r"), array("m", { dynamic: true })];
  refuses(phaseKernel([set(r, lane, one)], { lanes: 4, arrays: [r] }), /its index is not a literal/);
  accepts(phaseKernel([set(m, lane, one)], { lanes: 4, arrays: [m] }));
  refuses(
    phaseKernel([set(m, lane, one)], { lanes: 5, arrays: [m] }),
    /lies in \[0, 4\] and m has 4 elements/,
  );
});

Deno.test("verifyKernel() refuses a store that all lanes or all groups make alike", () => {
  refuses(
    phaseKernel([store(int(0), one)], { lanes: 4, buffers }),
    /all lanes store to the same element of y/,
  );
  refuses(
    phaseKernel([store(lane, one)], { lanes: 4, groups: 2, buffers }),
    /all groups store to the same element/,
  );
  const s = array("s", { space: "shared", dynamic: true });
  refuses(
    phaseKernel([set(s, int(0), one)], { lanes: 4, arrays: [s] }),
    /all lanes store to the same element of s/,
  );
  const condition = binary("eq", lane, int(0), bool);
  const alone: Statement = { kind: "if", condition, then: [set(s, int(0), one)], otherwise: [] };
  accepts(phaseKernel([bind(condition), alone], { lanes: 4, groups: 2, arrays: [s] }));
});

Deno.test("verifyKernel() refuses combines of the wrong shape", () => {
  const [r, s] = [array("r"), array("s", { space: "shared", dynamic: true })];
  const combine = (op: "sum" | "argmax", arrays: readonly ArrayDecl[], across: number) =>
    phaseKernel([], { lanes: 12, arrays: [r, s], body: [{ kind: "combine", op, arrays, across }] });
  refuses(combine("sum", [r], 3), /3 lanes are combined: not a power of two/);
  refuses(combine("sum", [r], 8), /8 lanes are combined/);
  refuses(combine("sum", [s], 4), /s is combined, and is not a lane array/);
  refuses(combine("argmax", [r], 4), /argmax combines 2 arrays, not 1/);
  accepts(combine("sum", [r], 4));
});

Deno.test("verifyKernel() refuses loops that don't advance, that don't count in i32, or that overflow", () => {
  const loop = (to: Instr, step: number): Kernel =>
    phaseKernel([{ kind: "for", variable: loopVar(), from: int(0), to, step, body: [] }]);
  accepts(loop(int(5), 1));
  refuses(loop(int(5), 0), /a loop steps by 0/);
  refuses(loop(one, 1), /a loop counts in i32/);
  refuses(loop(int(2147483647), 4), /the loop's variable may overflow/);
});

Deno.test("verifyKernel() holds declarations against the limits", () => {
  const declares = (rest: Partial<Kernel>, message: RegExp) => refuses(phaseKernel([], rest), message);
  declares({ lanes: 257 }, /257 lanes, and a workgroup has 1 to 256/);
  declares({ groups: 0 }, /0 groups/);
  declares(
    { buffers: Array.from({ length: 9 }, (_, i) => ({ ...x, name: `x${i}` })) },
    /9 buffers, and a stage binds 8/,
  );
  declares({ buffers: [x, x] }, /two declarations are called x/);
  declares({ buffers: [{ ...x, size: 0 }] }, /x has 0 elements/);
  declares({ buffers: [{ ...x, size: 2 ** 26 }] }, /268435456 bytes of 134217728/);
  declares({ params: [{ name: "n", scalar: "i32", lo: 2, hi: 1 }] }, /n lies in \[2, 1\]/);
  const s = array("s", { space: "shared", dynamic: true, length: 4097 });
  declares({ arrays: [s] }, /16388 bytes of shared arrays of 16384/);
  declares({ arrays: [{ ...s, dynamic: false }] }, /s is not dynamic/);
});

Deno.test("verifyKernel() counts the scratch memory of combines", () => {
  const s = array("s", { space: "shared", dynamic: true, length: 4000 });
  const r = array("r", { type: wide("f32", 4), length: 1 });
  const body = [{ kind: "combine", op: "sum", arrays: [r], across: 64 }] as const;
  accepts(phaseKernel([], { lanes: 64, arrays: [r], body }));
  refuses(phaseKernel([], { lanes: 64, arrays: [s, r], body }), /17024 bytes of shared arrays/);
});
