import assert from "node:assert/strict";
import { printKernel } from "../../../compiler/kernel/print.ts";
import { gpuTarget } from "../../../compiler/target.ts";
import { checkSoftmax, layerNorm, softmax } from "./row_cases.ts";
import { testTarget } from "../../../compiler/target.ts";

const loads = (text: string): number => text.match(/= load /g)?.length ?? 0;

Deno.test("scheduleRow() reads a row once where lanes can keep it", () => {
  const g = softmax(300, 1024);
  const [kernel] = g.run(gpuTarget);
  // 256 vectors on 128 lanes, and nothing is read again for Σ exp or y.
  assert.equal(loads(printKernel(kernel!.kernel)), 2);
  checkSoftmax(g, 300, 1024, "kept");
});

Deno.test("scheduleRow() keeps what was computed last, where that is all that later passes need", () => {
  const g = softmax(300, 64);
  const [kernel] = g.schedule({ ...testTarget, row: { ...testTarget.row, keep: 4 } });
  const text = printKernel(kernel!.kernel);
  assert.equal(text.match(/ exp /g)?.length, 4, "y is made of the exponentials that were summed");
});

Deno.test("scheduleRow() keeps a row whose last items not all lanes have", () => {
  const target = { ...testTarget, row: { ...testTarget.row, keep: 8 } };
  for (const [rows, length] of [[7, 20], [3, 44], [5, 9]] as const) {
    const g = softmax(rows, length);
    g.run(target);
    checkSoftmax(g, rows, length, `${rows} × ${length}`);
    layerNorm(rows, length).check((n) => n.run(target), `${rows} × ${length}`);
  }
});

Deno.test("scheduleRow() reads again what is too much to keep", () => {
  const [kernel] = softmax(300, 64).schedule({ ...testTarget, row: { ...testTarget.row, keep: 3 } });
  assert.match(printKernel(kernel!.kernel), /for /);
});
