/** Index arithmetic means what plain integers do, however it is simplified; substitution captures nothing. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Value, type Var } from "../../../compiler/kernel/value.ts";
import { Values } from "../../../compiler/kernel/values.ts";
import { mergeAxes, splitAxes } from "../../../compiler/schedule/axes.ts";
import { ValueEvaluator } from "../../../runtime/check_op/value_evaluator.ts";

const floorMod = (a: number, b: number): number => a - b * Math.floor(a / b);

/** All positions of a box, one array per axis. */
function positions(extents: readonly number[]): Int32Array[] {
  const count = extents.reduce((n, d) => n * d, 1);
  let step = count;
  return extents.map((d) => {
    step /= d;
    const own = step;
    return Int32Array.from({ length: count }, (_, i) => Math.floor(i / own) % d);
  });
}

/** A value at all positions of some variables. */
function at(value: Value, vars: readonly Var[], where: readonly Int32Array[], x: readonly number[] = []) {
  const bindings = new Map(vars.map((v, i) => [v, where[i]!]));
  const evaluator = new ValueEvaluator(where[0]!.length, bindings, new Map([["x", x]]));
  return Array.from(evaluator.of(value), (y) => y + 0); // no −0 among integers
}

/** A step of index arithmetic on two of the values so far. */
const step = fc.tuple(fc.nat(5), fc.nat(20), fc.nat(20), fc.constantFrom(1, 2, 3, 4, 6, 12, 24, 5, -1, -2));

Deno.test("indices by iadd, imul, idiv, imod and iclamp are what integers give, and lie in their ranges", () => {
  const extents = [4, 3, 12];
  const where = positions(extents);
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const k = new Values();
      const vars = k.axes(extents) as Var[];
      const made: { value: Value; plain: readonly number[] }[] = vars.map((value, i) => (
        { value, plain: [...where[i]!] }
      ));
      for (const [op, i, j, c] of steps) {
        const a = made[made.length - 1 - i % made.length]!;
        const b = made[made.length - 1 - j % made.length]!;
        const d = Math.abs(c);
        const next = (value: Value, f: (x: number, y: number) => number) =>
          made.push({ value, plain: a.plain.map((x, n) => f(x, b.plain[n]!)) });
        if (op === 0) next(k.iadd(a.value, b.value), (x, y) => x + y);
        else if (op === 1) next(k.imul(a.value, c), (x) => x * c + 0);
        else if (op === 2) next(k.idiv(a.value, d), (x) => Math.floor(x / d));
        else if (op === 3) next(k.imod(a.value, d), (x) => floorMod(x, d));
        else if (op === 4) next(k.affine([[a.value, d], [b.value, c]], 1), (x, y) => x * d + y * c + 1);
        else next(k.iclamp(a.value, 0, 6), (x) => Math.min(Math.max(x, 0), 6));
      }
      const { value, plain } = made.at(-1)!;
      assert.deepEqual(at(value, vars, where), plain);
      for (const x of plain) {
        assert(value.lo <= x && x <= value.hi, `${x} is outside [${value.lo}, ${value.hi}]`);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("comparisons decided by ranges are what they are at every position", () => {
  const extents = [3, 5];
  const where = positions(extents);
  for (let offset = -7; offset <= 7; offset++) {
    for (const op of ["lt", "le", "eq", "ne"] as const) {
      const k = new Values();
      const [a, b] = k.axes(extents) as [Var, Var];
      const value = k.compare(op, k.iadd(a, offset), b);
      const plain = [...where[0]!].map((x, i) => {
        const [l, r] = [x + offset, where[1]![i]!];
        return Number(op === "lt" ? l < r : op === "le" ? l <= r : op === "eq" ? l === r : l !== r);
      });
      assert.deepEqual(at(value, [a, b], where), plain, `${op} with ${offset}`);
    }
  }
});

/** Σ or a running Σ along the last axis, whose extent is the product of the others, so that merging tempts to capture. */
function summed(k: Values, axes: readonly Value[], extents: readonly number[], running: boolean): Value {
  const size = extents.reduce((n, d) => n * d, 1);
  const read = (j: Value) =>
    k.load(
      { name: "x", dtype: "f32", size },
      k.affine([[axes[0]!, extents[1]! * extents[2]!], [axes[1]!, extents[2]!], [j, 1]]),
    );
  return running
    ? k.prefix("sum", extents[2]!, axes[2]!, axes, false, read)
    : k.reduce("sum", [extents[2]!], axes, ([j]) => read(j!));
}

for (const running of [false, true]) {
  const what = running ? "a running sum" : "a sum";
  Deno.test(`merging two axes into one as long as that of ${what} captures nothing`, () => {
    const extents = [2, 3, 6];
    const x = Array.from({ length: 36 }, (_, i) => (i * 7) % 11);
    const k = new Values();
    const axes = k.axes(extents) as Var[];
    const value = summed(k, axes, extents, running);
    const { vars, substitution } = mergeAxes(k, axes, [value]);
    assert.equal(vars[0]!.extent, 6, "the first two axes merge");
    const merged = at(k.substitute(value, substitution), vars, positions(vars.map((v) => v.extent)), x);
    assert.deepEqual(merged, at(value, axes, positions(extents), x));
  });

  Deno.test(`putting the variable of ${what} in place of another renames it`, () => {
    const extents = [6, 1, 6];
    const x = Array.from({ length: 36 }, (_, i) => (i * 5) % 13);
    const k = new Values();
    const [row, , column] = k.axes(extents) as [Var, Value, Var];
    const value = summed(k, [row, k.int(0), column], extents, running);
    assert(value.kind === "reduce" || value.kind === "prefix");
    const bound = value.kind === "reduce" ? value.vars[0]! : value.variable;
    const moved = k.substitute(value, new Map([[row, bound]]));
    const where = positions([6, 6]);
    assert.deepEqual(at(moved, [bound, column], where, x), at(value, [row, column], where, x));
  });
}

Deno.test("a split axis is put together again by the normal form", () => {
  const k = new Values();
  const [v] = k.axes([12]) as [Var];
  const index = k.affine([[k.idiv(v, 4), 4], [k.imod(v, 4), 1]]);
  assert.equal(index, v);
  const splits = splitAxes(k, [v], [k.idiv(v, 4)])!;
  const [high, low] = splits.get(v)!;
  assert.deepEqual([high.extent, low.extent], [3, 4]);
});

Deno.test("a division by a literal 0 is a product with infinity, which no driver folds", () => {
  const k = new Values();
  const x = k.load({ name: "x", dtype: "f32", size: 4 }, k.int(0));
  assert.equal(k.div(x, 0), k.mul(x, k.const(Infinity)));
  assert.equal(k.div(x, k.const(-0)), k.mul(x, k.const(-Infinity)));
  assert.equal(k.div(x, 2).kind, "binary");
});
