import assert from "node:assert/strict";
import { interpret } from "../../../compiler/kernel/interpret.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { isRefusal, type ScheduledKernel } from "../../../compiler/schedule/group.ts";
import { scheduleMap } from "../../../compiler/schedule/map.ts";
import { mapLoops } from "../../../compiler/schedule/map_loops.ts";
import type { Var } from "../../../compiler/kernel/value.ts";
import { assertClose, RowGroup, targets } from "./row_support.ts";

function biased(rows: number, columns: number): RowGroup {
  const g = new RowGroup();
  const [x, bias] = [g.random("x", [rows, columns]), g.random("bias", [columns])];
  g.output("y", [rows, columns], ([i, j]) => g.k.add(x.at([i!, j!]), bias.at([j!])));
  return g;
}

const loopsOf = (g: RowGroup) => {
  const root = g.roots[0]!;
  return mapLoops(g.k, root.axes.filter((a): a is Var => a.kind === "var"), g.roots).vars.map((v) =>
    v.extent
  );
};

for (const target of targets) {
  Deno.test(`scheduleMap() adds a bias to rows of any length on ${target.name}`, () => {
    for (const [rows, columns] of [[7, 3], [9, 17], [5, 25], [33, 33], [6, 8], [1, 7]] as const) {
      const g = biased(rows, columns);
      const scheduled = scheduleMap(g.lowered, target);
      assert.ok(!isRefusal(scheduled));
      const [{ kernel, buffers, params, groups }] = scheduled as readonly [ScheduledKernel];
      verifyKernel(kernel, target.limits);
      const named = Object.fromEntries(kernel.params.map((p, i) => [p.name, params[i]!]));
      interpret(kernel, buffers.map((ref) => g.data.get(ref.name)!), named, groups);
      const [x, bias] = [g.data.get("x")!, g.data.get("bias")!];
      const want = Float64Array.from(x, (v, i) => v + bias[i % columns]!);
      assertClose(g.data.get("y")!, want, 1e-6, `${rows} × ${columns}`);
    }
  });
}

Deno.test("mapLoops() has one loop over rows that are no multiple of 4, for vectors of four", () => {
  assert.deepEqual(loopsOf(biased(33, 33)), [33 * 33]);
  assert.deepEqual(loopsOf(biased(33, 32)), [33, 32], "those are vectors as they are");
});

Deno.test("mapLoops() keeps rows apart whose neighbors are read far from each other", () => {
  const transposed = (rows: number, columns: number) => {
    const g = new RowGroup();
    const [x, t] = [g.random("x", [rows, columns]), g.random("t", [columns, rows])];
    g.output("y", [rows, columns], ([i, j]) => g.k.add(x.at([i!, j!]), t.at([j!, i!])));
    return loopsOf(g);
  };
  assert.deepEqual(transposed(41, 33), [41, 33]);
  assert.deepEqual(transposed(41, 3), [41 * 3], "a vector spans rows so short");
});
