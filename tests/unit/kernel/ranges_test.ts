/** Ranges are never wrong (against all values of random expressions), and tight where index arithmetic needs it. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type BinaryInstr,
  bool,
  type Instr,
  isAtom,
  literal,
  type LoopVar,
  operandsOf,
} from "../../../compiler/kernel/ir.ts";
import { iterationsOf } from "../../../compiler/kernel/iterations.ts";
import { Ranges } from "../../../compiler/kernel/ranges.ts";
import { binaryMeaning } from "../../../compiler/kernel/scalar.ts";
import type { BinaryOp } from "../../../compiler/kernel/value.ts";
import { binary, build, group, int, lane, loopVar, phaseKernel } from "../../support/small_kernels.ts";
import { i32 } from "../../../compiler/kernel/ir.ts";

const params = [{ name: "n", scalar: "i32", lo: 4, hi: 40, multiple: 4 }] as const;
const n: Instr = { kind: "param", type: i32, name: "n" };
const kernel = phaseKernel([], { lanes: 4, groups: 3, params });
const add = (a: Instr, b: Instr) => binary("add", a, b);
const sub = (a: Instr, b: Instr) => binary("sub", a, b);
const mul = (a: Instr, b: Instr) => binary("mul", a, b);
const div = (a: Instr, b: Instr) => binary("div", a, b);
const rem = (a: Instr, b: Instr) => binary("rem", a, b);
const lt = (a: Instr, b: Instr) => binary("lt", a, b, bool);
const select = (condition: Instr, then: Instr, otherwise: Instr): Instr => ({
  kind: "select",
  type: i32,
  condition,
  then,
  otherwise,
});

/** The value of an expression where the atoms have these values. */
function valueOf(instr: Instr, atoms: ReadonlyMap<Instr, number>): number {
  if (instr.kind === "literal") return instr.value;
  if (isAtom(instr)) return atoms.get(instr)!;
  const [a, b, c] = operandsOf(instr).map((operand) => valueOf(operand, atoms)) as [number, number, number];
  if (instr.kind === "select") return a !== 0 ? b : c;
  const { op, a: left } = instr as BinaryInstr;
  return binaryMeaning[op][left.type.scalar]!(a, b);
}

/** An expression over atoms, read off a tape. */
function expression(tape: readonly number[], atoms: readonly Instr[]): { value: Instr; condition: Instr } {
  const values: Instr[] = [...atoms];
  const conditions: Instr[] = [literal("bool", 1)];
  let at = 0;
  const next = (below: number) => (tape[at++] ?? 0) % below;
  const pick = () => values[values.length - 1 - next(values.length)]!;
  const ops: readonly BinaryOp[] = [
    "add",
    "sub",
    "mul",
    "div",
    "rem",
    "min",
    "max",
    "and",
    "shl",
    "shr",
    "or",
    "xor",
  ];
  while (at < tape.length) {
    const kind = next(8);
    if (kind === 0) {
      conditions.push(binary((["lt", "le", "eq", "ne"] as const)[next(4)]!, pick(), pick(), bool));
    } else if (kind === 1) {
      const [a, b] = [conditions[next(conditions.length)]!, conditions[next(conditions.length)]!];
      conditions.push(binary((["and", "or"] as const)[next(2)]!, a, b));
    } else if (kind === 2) values.push(select(conditions[next(conditions.length)]!, pick(), pick()));
    else {
      const constant = int([4, 2, 3, 8, 7, 1, -1, 16, 5, -8, 0, 1 << 30][next(12)]!);
      values.push(binary(ops[next(ops.length)]!, pick(), kind < 6 ? constant : pick()));
    }
  }
  return { value: values.at(-1)!, condition: conditions.at(-1)! };
}

Deno.test("Ranges hold every value that an expression takes, wherever its condition holds", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1000), { minLength: 4, maxLength: 60 }),
      fc.boolean(),
      fc.constantFrom(1, 3, 4),
      (
        tape,
        holds,
        step,
      ) => {
        const v: LoopVar = loopVar();
        const from = int(2);
        const to = binary("min", n, int(21));
        const { value, condition } = expression(tape, [v, n, lane, group]);
        const ranges = new Ranges(kernel);
        const known = ranges.inLoop({ variable: v, from, to, step }, () =>
          ranges.assuming(
            condition,
            holds,
            () => ({ ...ranges.range(value), multiple: ranges.multiple(value) }),
          ));
        for (let i = 0; i < 12; i++) {
          for (const size of [4, 8, 20, 40]) {
            if (2 + i * step >= Math.min(size, 21)) continue;
            for (let l = 0; l < 4; l++) {
              for (let g = 0; g < 3; g++) {
                const atoms = new Map<Instr, number>([[v, 2 + i * step], [n, size], [lane, l], [group, g]]);
                if (valueOf(condition, atoms) !== (holds ? 1 : 0)) continue;
                const x = valueOf(value, atoms);
                const { lo, hi, multiple } = known;
                assert(x >= lo && x <= hi, `${x} is outside [${lo}, ${hi}]`);
                assert(multiple === 0 ? x === 0 : x % multiple === 0, `${x} is no multiple of ${multiple}`);
              }
            }
          }
        }
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("Ranges see that i − 4·(i / 4) is a remainder, and that quotient and remainder make up the whole", () => {
  const ranges = new Ranges(kernel);
  const i = add(mul(group, int(16)), lane);
  assert.deepEqual(ranges.range(sub(i, mul(int(4), div(i, int(4))))), { lo: 0, hi: 3 });
  assert.deepEqual(ranges.range(add(mul(div(i, int(7)), int(7)), rem(i, int(7)))), { lo: 0, hi: 35 });
  assert.deepEqual(ranges.range(rem(i, int(16))), { lo: 0, hi: 3 });
  assert.deepEqual(ranges.range(div(i, int(16))), { lo: 0, hi: 2 });
});

Deno.test("Ranges put a tile of two split axes back together", () => {
  // row = group / 2, column = group % 2 of 3 groups, each 10 wide: index (row·2 + column)·10 + lane.
  const row = div(group, int(2));
  const column = rem(group, int(2));
  const index = add(mul(add(mul(row, int(2)), column), int(10)), lane);
  assert.deepEqual(new Ranges(kernel).range(index), { lo: 0, hi: 23 });
});

Deno.test("Ranges round quotients of what a condition bounds, also where part of it divides without rest", () => {
  // at < 6 of 8 places as rows of 2: at / 2 is at most 2, so element 6·(at / 2) + at % 2 + 4 at most 17.
  const at = add(mul(group, int(4)), lane);
  const index = add(add(mul(div(at, int(2)), int(6)), rem(at, int(2))), int(4));
  const ranges = new Ranges(kernel);
  ranges.assuming(lt(at, int(6)), true, () => assert.deepEqual(ranges.range(index), { lo: 4, hi: 17 }));
  // Twice a remainder by 3, divided again: ((2·(g % 3)) / 3)·16 + 2·(g % 3) is not negative.
  const twice = mul(rem(n, int(5)), int(2));
  assert(ranges.within(add(mul(div(twice, int(5)), int(16)), twice), 0, 24));
});

Deno.test("Ranges tie digits to their number where those between cancel", () => {
  // The digits of i in bases 2, 2, 3, counted down: 12·(i / 12) − 6·… − 3·… − … + 11.
  const v = loopVar();
  const ranges = new Ranges(kernel);
  ranges.inLoop({ variable: v, from: int(0), to: int(24), step: 1 }, () => {
    const [a, b] = [div(v, int(3)), div(div(v, int(3)), int(2))];
    const digits = add(mul(rem(b, int(2)), int(6)), add(mul(rem(a, int(2)), int(3)), rem(v, int(3))));
    const index = sub(add(mul(div(b, int(2)), int(12)), int(11)), digits);
    assert(ranges.within(index, 0, 23));
  });
});

Deno.test("Ranges round a bound that a relation gives to what the form can be", () => {
  // A vec4 at i % 4 for i = 4·lane, 4·lane + 16, …: a remainder up to 3 that is a multiple of 4 is 0.
  const v = loopVar();
  const ranges = new Ranges(kernel);
  ranges.inLoop({ variable: v, from: mul(lane, int(4)), to: int(12), step: 16 }, () => {
    assert.deepEqual(ranges.range(rem(v, int(4))), { lo: 0, hi: 0 });
  });
});

Deno.test("Ranges know what a multiple leaves when it is divided", () => {
  // A sum of all of [6, 8, 3] whose last two axes are swapped in memory, by fours: x % 8 is 0 or 4.
  const v = loopVar();
  const ranges = new Ranges(kernel);
  const [from, to] = [mul(group, int(48)), add(mul(group, int(48)), int(48))];
  ranges.inLoop({ variable: v, from, to, step: 16 }, () => {
    const x = add(v, mul(lane, int(4)));
    const column = div(x, int(8));
    const row = add(mul(div(column, int(3)), int(24)), rem(column, int(3)));
    for (let c = 0; c < 4; c++) {
      const index = add(row, mul(add(rem(x, int(8)), int(c)), int(3)));
      assert(ranges.within(index, 0, 143 - 3 * (3 - c)), `element ${c}`);
    }
  });
});

Deno.test("Ranges know as much in a branch as outside it", () => {
  // A tile's row (group / 5) % 3 and column group % 5, clamped, where a condition says that it need not be.
  const grid = new Ranges(phaseKernel([], { lanes: 4, groups: 90, params }));
  const tiles = div(group, int(5));
  const row = add(mul(rem(tiles, int(3)), int(2)), div(lane, int(2)));
  const column = add(mul(rem(group, int(5)), int(2)), rem(lane, int(2)));
  const [r, c] = [binary("min", row, int(4)), binary("min", column, int(8))];
  const index = add(add(mul(div(tiles, int(3)), int(45)), mul(r, int(9))), c);
  const inside = binary("and", lt(row, int(5)), lt(column, int(9)), bool);
  grid.assuming(inside, true, () => assert(grid.within(index, 0, 269)));
});

Deno.test("Ranges know in a branch what its condition says of other expressions over the same variables", () => {
  const ranges = new Ranges(kernel);
  const i = mul(add(mul(group, int(4)), lane), int(4));
  assert.equal(ranges.within(add(i, int(3)), 0, 39), false);
  ranges.assuming(lt(i, n), true, () => {
    // Both sides are multiples of 4, so i < n leaves room for a vec4.
    assert(ranges.within(add(i, int(3)), 0, 39));
    assert(ranges.within(sub(sub(n, i), int(4)), 0, 40));
    assert.equal(ranges.multiple(i), 4);
  });
  ranges.assuming(lt(i, n), false, () => assert(ranges.within(sub(i, n), 0, 100)));
  ranges.assuming(binary("eq", lane, int(2), bool), true, () => {
    assert.deepEqual(ranges.range(add(lane, int(1))), { lo: 3, hi: 3 });
  });
});

Deno.test("Ranges bound a loop up to a minimum by both operands", () => {
  const ranges = new Ranges(kernel);
  const outer = loopVar("k");
  const inner = loopVar("j");
  ranges.inLoop({ variable: outer, from: int(0), to: n, step: 16 }, () => {
    const to = binary("min", add(outer, int(16)), n);
    ranges.inLoop({ variable: inner, from: outer, to, step: 1 }, () => {
      assert(ranges.within(inner, 0, 39));
      assert(ranges.within(sub(inner, outer), 0, 15));
      assert(ranges.within(sub(n, inner), 1, 40));
    });
  });
});

Deno.test("Ranges tell that a loop by fours stays four below its end, if its length is a multiple", () => {
  const ranges = new Ranges(kernel);
  const v = loopVar();
  ranges.inLoop(
    { variable: v, from: int(0), to: n, step: 4 },
    () => assert.deepEqual(ranges.range(v), { lo: 0, hi: 36 }),
  );
  const w = loopVar();
  ranges.inLoop({ variable: w, from: lane, to: int(40), step: 4 }, () => assert(ranges.within(w, 0, 39)));
  const u = loopVar();
  ranges.inLoop({ variable: u, from: int(1), to: int(11), step: 4 }, () => {
    assert.deepEqual(ranges.range(u), { lo: 1, hi: 9 });
  });
});

Deno.test("Ranges know that a loop over multiples ends at one, though its steps don't fill it", () => {
  const ranges = new Ranges(kernel);
  const v = loopVar();
  // 0, 4, 8 or 12, and every sixteenth from there on.
  ranges.inLoop({ variable: v, from: mul(lane, int(4)), to: int(36), step: 16 }, () => {
    assert.deepEqual(ranges.range(v), { lo: 0, hi: 32 });
    // A column of 36 rows of 36: the group adds what is no multiple of anything.
    assert(ranges.within(add(group, mul(add(v, int(3)), int(36))), 0, 36 * 36 - 1));
  });
  const w = loopVar();
  ranges.inLoop({ variable: w, from: mul(lane, int(4)), to: n, step: 16 }, () => {
    assert(ranges.within(sub(n, w), 4, 40));
  });
});

Deno.test("Ranges let a select bound what it guards", () => {
  const ranges = new Ranges(kernel);
  const i = add(mul(group, int(100)), lane);
  assert.deepEqual(ranges.range(select(lt(i, int(50)), i, int(7))), { lo: 0, hi: 49 });
  assert.deepEqual(ranges.range(binary("max", binary("min", i, int(9)), int(2))), { lo: 2, hi: 9 });
});

Deno.test("Ranges don't trust what may wrap", () => {
  const ranges = new Ranges(kernel);
  const huge = mul(add(n, int(1 << 24)), int(256));
  assert.deepEqual(ranges.range(huge), { lo: -2147483648, hi: 2147483647 });
  // Modulo 2³² the sum is exact again.
  assert.deepEqual(ranges.range(sub(add(lane, int(2147483647)), int(2147483647))), { lo: 0, hi: 3 });
});

Deno.test("iterationsOf() sums the turns of nested loops, each branch at its worst", () => {
  const nested = build(1, 1, (b) => {
    const flag = b.param("flag", "bool", 0, 0, 1);
    b.loop(b.int(0), b.int(10), 1, (k) => {
      b.phase(() => {
        const keep = b.array("lane", i32, 1);
        b.if(
          flag,
          () => b.for(b.int(0), b.int(7), 2, (v) => b.set(keep, 0, v)),
          () => b.for(k, b.add(k, 3), 1, (v) => b.set(keep, 0, v)),
        );
      });
    });
  });
  assert.equal(iterationsOf(nested), 10 + 10 * 4);
});
