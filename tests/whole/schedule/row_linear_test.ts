import assert from "node:assert/strict";
import type { Value } from "../../../compiler/kernel/value.ts";
import { linearized } from "../../../compiler/schedule/row/linear.ts";
import { mergesOf } from "../../../compiler/schedule/row/merge.ts";
import { passesOf } from "../../../compiler/schedule/row/passes.ts";
import { isSpace, rowSpace } from "../../../compiler/schedule/row/space.ts";
import { gpuTarget, softwareTarget } from "../../../compiler/target.ts";
import { softmax } from "../../unit/schedule/row_cases.ts";
import { assertClose, merging, numbers, RowGroup } from "../../unit/schedule/row_support.ts";

/**
 * dx of a layer norm as differentiation writes it: through the variance, then through the mean.
 *
 * @param over What dx is stored over.
 */
function normGradient(rows: number, length: number, mean: number, over?: "x" | "dy"): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const x = g.input("x", [rows, length], numbers(rows * length, 1).map((v) => v + mean));
  const dy = g.random("dy", [rows, length]);
  const sum = (i: Value, body: (j: Value) => Value) => k.reduce("sum", [length], [i], ([j]) => body(j!));
  const center = (i: Value) => k.div(sum(i, (j) => x.at([i, j])), length);
  const away = (i: Value, j: Value) => k.sub(x.at([i, j]), center(i));
  const variance = (i: Value) => k.div(sum(i, (j) => k.mul(away(i, j), away(i, j))), length);
  const inverse = (i: Value) => k.unary("inverseSqrt", k.add(variance(i), 1e-5));
  const dVariance = (i: Value) => {
    const dInverse = sum(i, (j) => k.mul(dy.at([i, j]), away(i, j)));
    const cubed = k.mul(inverse(i), k.mul(inverse(i), inverse(i)));
    return k.div(k.mul(k.mul(dInverse, -0.5), cubed), length);
  };
  const dAway = (i: Value, j: Value) =>
    k.add(k.mul(dy.at([i, j]), inverse(i)), k.mul(dVariance(i), k.mul(away(i, j), 2)));
  g.output("dx", [rows, length], ([i, j]) => {
    const dMean = sum(i!, (c) => k.unary("neg", dAway(i!, c)));
    return k.add(dAway(i!, j!), k.div(dMean, length));
  }, over);
  return g;
}

function expected(g: RowGroup, rows: number, length: number): Float64Array {
  const want = new Float64Array(rows * length);
  for (let i = 0; i < rows; i++) {
    const [x, dy] = ["x", "dy"].map((name) => [...g.data.get(name)!.subarray(i * length, (i + 1) * length)]);
    const m = x!.reduce((a, v) => a + v, 0) / length;
    const s = 1 / Math.sqrt(x!.reduce((a, v) => a + (v - m) ** 2, 0) / length + 1e-5);
    const plain = dy!.reduce((a, v) => a + v, 0) / length;
    const along = dy!.reduce((a, v, j) => a + v * (x![j]! - m) * s, 0) / length;
    x!.forEach((v, j) => want[i * length + j] = s * (dy![j]! - plain - (v - m) * s * along));
  }
  return want;
}

const spaceOf = (g: RowGroup) => {
  const space = rowSpace(g.lowered);
  assert.ok(isSpace(space));
  return space;
};

for (const target of [merging, softwareTarget, gpuTarget]) {
  Deno.test(`scheduleRow() gives a layer norm's gradient from sums of one pass on ${target.name}`, () => {
    for (const [rows, length] of [[3, 24], [70, 16], [5, 33], [2, 770]] as const) {
      // Of a large mean no digits are lost that x has.
      for (const [mean, tolerance] of [[0, 1e-5], [1000, 2e-3]] as const) {
        for (const over of [undefined, "x", "dy"] as const) {
          const g = normGradient(rows, length, mean, over);
          const want = expected(g, rows, length);
          g.run(target);
          assertClose(
            g.data.get(over ?? "dx")!,
            want,
            tolerance,
            `${rows} × ${length} around ${mean}, over ${over}`,
          );
        }
      }
    }
  });
}

Deno.test("linearized() makes two passes of a layer norm's gradient, where four depend on each other", () => {
  const space = spaceOf(normGradient(8, 24, 0));
  assert.equal(passesOf(space, mergesOf(space)).length, 4);
  const fewer = linearized(space)!;
  assert.equal(passesOf(fewer, mergesOf(fewer)).length, 2);
});

Deno.test("linearized() leaves alone what is not linear, and what would be overwritten before it is read", () => {
  assert.equal(linearized(spaceOf(softmax(8, 24))), undefined);
  // The row's first x is read again in the last pass, by all lanes.
  assert.equal(linearized(spaceOf(normGradient(8, 24, 0, "x"))), undefined);
  assert.ok(linearized(spaceOf(normGradient(8, 24, 0, "dy"))), "each dy is read where it is overwritten");
});

Deno.test("linearized() keeps a NaN and an infinity of the row", () => {
  for (const bad of [NaN, Infinity]) {
    const g = normGradient(3, 24, 0);
    g.data.get("x")![30] = bad;
    g.run(softwareTarget);
    const dx = [...g.data.get("dx")!];
    assert.ok(dx.slice(24, 48).every(Number.isNaN), `a row with ${bad}`);
    assert.ok(dx.slice(0, 24).every(Number.isFinite) && dx.slice(48).every(Number.isFinite), "other rows");
  }
});
