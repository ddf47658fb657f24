import assert from "node:assert/strict";
import { padColumns } from "../../../compiler/schedule/row/pad.ts";
import { isSpace, rowSpace } from "../../../compiler/schedule/row/space.ts";
import { assertClose, count, RowGroup, splitting, targets } from "./row_support.ts";

/** Sums and largest elements of x[outer…, rows, columns] over rows, each column scaled and shifted by its own. */
function columnsOf(outer: readonly number[], rows: number, columns: number): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [...outer, rows, columns]);
  const scale = g.random("scale", [columns]);
  g.output("sum", [...outer, columns], (at) => {
    const [column, places] = [at.at(-1)!, at.slice(0, -1)];
    return k.mul(scale.at([column]), k.reduce("sum", [rows], at, ([r]) => x.at([...places, r!, column])));
  });
  g.output("max", [...outer, columns], (at) => {
    return k.reduce("max", [rows], at, ([r]) => x.at([...at.slice(0, -1), r!, at.at(-1)!]));
  });
  return g;
}

for (const target of [...targets, splitting]) {
  Deno.test(`scheduleRow() takes columns in fours whatever their number on ${target.name}`, () => {
    const shapes: [number[], number, number][] = [[[], 21, 1001], [[], 300, 62], [[], 40, 67], [
      [3],
      17,
      129,
    ]];
    for (const [outer, rows, columns] of shapes) {
      const g = columnsOf(outer, rows, columns);
      g.run(target);
      const x = g.data.get("x")!;
      const sum = new Float64Array(count(outer) * columns);
      const max = new Float64Array(sum.length).fill(-Infinity);
      x.forEach((v, i) => {
        const place = Math.floor(i / (rows * columns)) * columns + i % columns;
        sum[place]! += v * g.data.get("scale")![i % columns]!;
        max[place] = Math.max(max[place]!, v);
      });
      assertClose(g.data.get("sum")!, sum, 1e-5, `[${outer}] ${rows} × ${columns}: sum`);
      assertClose(g.data.get("max")!, max, 0, `[${outer}] ${rows} × ${columns}: max`);
    }
  });
}

Deno.test("padColumns() leaves columns alone that come in fours, and few ones, most of which would be missing", () => {
  const padded = (columns: number) => {
    const space = rowSpace(columnsOf([], 8, columns).lowered);
    assert.ok(isSpace(space));
    return padColumns(space)?.outer.at(-1)?.extent;
  };
  assert.deepEqual([64, 10, 3, 63, 1001].map(padded), [undefined, undefined, undefined, 64, 1004]);
});
