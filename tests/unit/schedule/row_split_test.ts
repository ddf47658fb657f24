import assert from "node:assert/strict";
import { iterationsOf } from "../../../compiler/kernel/iterations.ts";
import type { Value } from "../../../compiler/kernel/value.ts";
import { softwareTarget, type Target } from "../../../compiler/target.ts";
import { checkSoftmax, crossEntropy, layerNorm, softmax } from "./row_cases.ts";
import { assertClose, RowGroup, splitting } from "./row_support.ts";

Deno.test("scheduleRow() splits long rows: two kernels for a sum, and for a softmax with merged reductions", () => {
  const g = new RowGroup();
  const x = g.random("x", [3000]);
  g.output("sum", [], () => g.k.reduce("sum", [3000], [], (at) => x.at(at)));
  assert.deepEqual(g.run(splitting).map((k) => k.split), [true, false]);
  assertClose(g.data.get("sum")!, [[...g.data.get("x")!].reduce((a, v) => a + v, 0)], 1e-4, "sum");

  for (const [rows, length] of [[3, 1000], [2, 1023], [1, 331]] as const) {
    const s = softmax(rows, length);
    assert.deepEqual(s.run(splitting).map((k) => k.split), [true, false]);
    checkSoftmax(s, rows, length, `${rows} × ${length} in chunks`);
    const norm = layerNorm(rows, length);
    norm.check((n) => assert.equal(n.run(splitting).length, 2), `${rows} × ${length} in chunks`);
    crossEntropy(rows, length).check((c) => c.run(splitting), `${rows} × ${length} in chunks`);
  }
});

Deno.test("scheduleRow() splits columns where they are few", () => {
  const [rows, columns] = [700, 12];
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [rows, columns]);
  const mean = (c: Value) => k.div(k.reduce("sum", [rows], [c], ([r]) => x.at([r!, c])), rows);
  g.output("squares", [columns], ([c]) =>
    k.reduce("sum", [rows], [c!], ([r]) => {
      const d = k.sub(x.at([r!, c!]), mean(c!));
      return k.mul(d, d);
    }));
  g.output("largest", [columns], ([c]) => k.reduce("argmax", [rows], [c!], ([r]) => x.at([r!, c!])));
  const kernels = g.run(splitting);
  assert.deepEqual(kernels.map((x) => [x.schedule, x.split]), [["column", true], ["column", false]]);
  for (let c = 0; c < columns; c++) {
    const column = Array.from({ length: rows }, (_, r) => g.data.get("x")![r * columns + c]!);
    const m = column.reduce((a, v) => a + v, 0) / rows;
    assertClose(
      g.data.get("squares")!.subarray(c, c + 1),
      [column.reduce((a, v) => a + (v - m) ** 2, 0)],
      1e-5,
      "squares",
    );
    assert.equal(g.data.get("largest")![c], column.indexOf(Math.max(...column)));
  }
});

Deno.test("scheduleRow() splits a row that a driver would not finish", () => {
  const bounded: Target = { ...softwareTarget, quirks: { ...softwareTarget.quirks, loopBound: 1000 } };
  const g = softmax(1, 40_000);
  const kernels = g.run(bounded);
  for (const { kernel } of kernels) assert.ok(iterationsOf(kernel) < 1000, `${iterationsOf(kernel)} turns`);
  checkSoftmax(g, 1, 40_000, "bounded");
});
