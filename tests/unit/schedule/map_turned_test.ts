import assert from "node:assert/strict";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { isRefusal } from "../../../compiler/schedule/group.ts";
import { scheduleMap } from "../../../compiler/schedule/map.ts";
import { softwareTarget, type Target } from "../../../compiler/target.ts";
import { statementsOfKernel } from "../../../compiler/kernel/walk.ts";
import type { LoadInstr } from "../../../compiler/kernel/ir.ts";
import { Group } from "./contraction_support.ts";

/** a + bᵀ for a of [rows, columns], and how wide it reads b. */
function transposedSum(rows: number, columns: number, target: Target): readonly number[] {
  const g = new Group();
  const a = g.input("a", [rows, columns]);
  const b = g.input("b", [columns, rows]);
  g.output("y", [rows, columns], ([i, j]) => g.k.add(a.at([i!, j!]), g.k.mul(b.at([j!, i!]), 3)));
  const kernels = scheduleMap(g.lowered, target);
  assert.ok(!isRefusal(kernels));
  g.run(kernels, target);
  g.compare();
  const { kernel, buffers } = kernels[0]!;
  verifyKernel(kernel, target.limits);
  const name = kernel.buffers[buffers.findIndex((ref) => ref.name === "b")]!.name;
  const loads = [...statementsOfKernel(kernel)].flatMap((s): LoadInstr[] =>
    s.kind === "let" && s.instr.kind === "load" && s.instr.buffer === name ? [s.instr] : []
  );
  return loads.map(({ type }) => type.width);
}

Deno.test("scheduleMap() reads blocks across the grain where lines of memory would compete", () => {
  assert.deepEqual(transposedSum(512, 8, softwareTarget), [4, 4, 4, 4]);
  assert.deepEqual(transposedSum(1024, 8, softwareTarget), [4, 4, 4, 4]);
  assert.deepEqual(transposedSum(500, 8, softwareTarget), [1, 1, 1, 1]);
  assert.deepEqual(transposedSum(512, 8, { ...softwareTarget, competing: 0 }), [1, 1, 1, 1]);
});

Deno.test("scheduleMap() reads across the grain element by element where blocks would be too many statements", () => {
  assert.deepEqual(transposedSum(512, 8, { ...softwareTarget, statements: 20 }), [1, 1, 1, 1]);
});
