import assert from "node:assert/strict";
import { alignRows } from "../../../compiler/schedule/row/align.ts";
import { isSpace, rowSpace } from "../../../compiler/schedule/row/space.ts";
import type { Target } from "../../../compiler/target.ts";
import { checkSoftmax, crossEntropy, layerNorm, softmax } from "../../unit/schedule/row_cases.ts";
import { assertClose, numbers, RowGroup, splitting, targets } from "../../unit/schedule/row_support.ts";

const sizes = [[7, 17], [5, 18], [9, 19], [33, 33], [3, 1023], [150, 21], [2, 4099], [6, 70], [
  1,
  2050,
]] as const;
const unrolled = (target: Target): Target => ({ ...target, row: { ...target.row, unroll: 2 } });

const aligned = (g: RowGroup) => {
  const space = rowSpace(g.lowered);
  assert.ok(isSpace(space));
  return alignRows(space);
};

for (const target of [...targets, unrolled(splitting)]) {
  Deno.test(`scheduleRow() reads rows that begin within a vec4 from their whole vec4s on ${target.name}`, () => {
    for (const [rows, length] of sizes) {
      const g = softmax(rows, length);
      g.run(target);
      checkSoftmax(g, rows, length, `${rows} × ${length}`);
      layerNorm(rows, length).check((g) => g.run(target), `layer norm ${rows} × ${length}`);
      crossEntropy(rows, length).check((g) => g.run(target), `loss ${rows} × ${length}`);
    }
  });

  Deno.test(`scheduleRow() finds the places of extremes in rows that begin within a vec4 on ${target.name}`, () => {
    const [rows, length] = [11, 131];
    const data = Float32Array.from(numbers(rows * length), (x) => Math.round(x * 100));
    data[3 * length] = data[4 * length - 1] = 1000;
    data[5 * length - 1] = -1000;
    data[7 * length + 2] = data[7 * length + 100] = NaN;
    const g = new RowGroup();
    const { k } = g;
    const x = g.input("x", [rows, length], data);
    for (const op of ["argmax", "argmin"] as const) {
      g.output(op, [rows], ([i]) => k.reduce(op, [length], [i!], ([j]) => x.at([i!, j!])));
    }
    g.run(target);
    for (let i = 0; i < rows; i++) {
      const row = [...data.subarray(i * length, (i + 1) * length)];
      const nan = row.findIndex((v) => Number.isNaN(v));
      assert.equal(g.data.get("argmax")![i], nan >= 0 ? nan : row.indexOf(Math.max(...row)), `row ${i}`);
      assert.equal(g.data.get("argmin")![i], nan >= 0 ? nan : row.indexOf(Math.min(...row)), `row ${i}`);
    }
  });

  Deno.test(`scheduleRow() reads rows that begin between vec4s by strides and offsets on ${target.name}`, () => {
    const [rows, length] = [9, 40];
    const g = new RowGroup();
    const { k } = g;
    const data = numbers(rows * 43 + 1, 3);
    // Rows of 40 among 43, the first at element 1.
    const buffer = g.input("x", [rows * 43 + 1], data);
    const x = (i: Parameters<typeof k.affine>[0][number][0], j: typeof i) =>
      buffer.at([k.affine([[i, 43], [j, 1]], 1)]);
    g.output("y", [rows], ([i]) => k.reduce("sum", [length], [i!], ([j]) => x(i!, j!)));
    assert.ok(aligned(g)?.alignment, "they are numbered from their vec4s");
    g.run(target);
    const want = Float64Array.from({ length: rows }, (_, i) => {
      return data.subarray(i * 43 + 1, i * 43 + 41).reduce((a, b) => a + b, 0);
    });
    assertClose(g.data.get("y")!, want, 1e-5, "y");
  });
}

for (const target of targets) {
  Deno.test(`scheduleRow() reads parts of rows, which end within a vec4 of their own, on ${target.name}`, () => {
    // One part begins its rows where the whole does, the other elsewhere; or neither does.
    for (const [first, second] of [[42, 36], [6, 15], [45, 33], [44, 34]] as const) {
      const [rows, length] = [3, first + second];
      const g = new RowGroup();
      const { k } = g;
      const [a, b] = [g.random("a", [rows, first]), g.random("b", [rows, second])];
      const joined = ([i, j]: readonly Parameters<typeof a.at>[0][number][]) =>
        k.guard(
          k.lt(j!, first),
          a.at([i!, j!]),
          k.guard(k.le(first, j!), b.at([i!, k.iadd(j!, -first)]), 0),
        );
      g.output("y", [rows, length], joined);
      g.output("s", [rows], ([i]) => k.reduce("sum", [length], [i!], ([j]) => joined([i!, j!])));
      g.run(target);
      const want = Array.from({ length: rows }, (_, i) => [
        ...g.data.get("a")!.subarray(i * first, (i + 1) * first),
        ...g.data.get("b")!.subarray(i * second, (i + 1) * second),
      ]);
      assertClose(g.data.get("y")!, Float64Array.from(want.flat()), 0, `y of ${first} and ${second}`);
      const sums = Float64Array.from(want, (row) => row.reduce((x, y) => x + y, 0));
      assertClose(g.data.get("s")!, sums, 1e-5, `s of ${first} and ${second}`);
    }
  });
}

Deno.test("alignRows() leaves rows alone that begin with a vec4, that are short, or whose results begin elsewhere", () => {
  assert.equal(aligned(softmax(8, 64)), undefined);
  assert.equal(aligned(softmax(8, 7)), undefined);
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [8, 33]);
  const sum = (i: Parameters<typeof x.at>[0][number]) => k.reduce("sum", [33], [i], ([j]) => x.at([i, j!]));
  g.output("y", [8, 33], ([i, j]) => k.sub(x.at([i!, j!]), sum(i!)));
  assert.ok(aligned(g), "both begin alike");
  const last = g.roots.pop()!;
  g.roots.push({ ...last, buffer: { ...last.buffer, size: 8 * 33 + 1 }, index: k.iadd(last.index, 1) });
  assert.ok(aligned(g), "the result is what is aligned");
  g.roots.push({ ...last, buffer: { ...last.buffer, name: "z" } });
  assert.equal(aligned(g), undefined, "two results begin differently");
});
