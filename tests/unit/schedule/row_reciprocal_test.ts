import assert from "node:assert/strict";
import { exp } from "../../../compiler/kernel/numerics.ts";
import type { Block, Statement } from "../../../compiler/kernel/ir.ts";
import { Values } from "../../../compiler/kernel/values.ts";
import type { ScheduledKernel } from "../../../compiler/schedule/group.ts";
import { assertClose, numbers, RowGroup, targets } from "./row_support.ts";

const [rows, length] = [12, 40];

/** Softmax of rows of some numbers, and what may stand in the numerator instead. */
function softmax(x: Float32Array, builtins: boolean, numerator?: "other"): RowGroup {
  const g = new RowGroup(new Values({ exp: builtins }));
  const { k } = g;
  const [a, b] = [g.input("x", [rows, length], x), g.random("b", [rows, length])];
  g.output("y", [rows, length], ([i, j]) => {
    const max = k.reduce("max", [length], [i!, j!], ([l]) => a.at([i!, l!]));
    const e = (at: Parameters<typeof a.at>[0]) => exp(k, k.sub(a.at(at), max));
    const sum = k.reduce("sum", [length], [i!, j!], ([l]) => e([i!, l!]));
    return k.div(numerator ? b.at([i!, j!]) : e([i!, j!]), sum);
  });
  return g;
}

function expected(x: Float32Array, numerator?: ArrayLike<number>): number[] {
  return Array.from(x, (_, at) => {
    const row = [...x.subarray(at - at % length, at - at % length + length)];
    const max = Math.max(...row);
    const sum = row.reduce((n, v) => n + Math.exp(v - max), 0);
    return (numerator ? numerator[at]! : Math.exp(x[at]! - max)) / sum;
  });
}

/** Divisions of elements: in loops, or of vectors. */
function divisions({ kernel }: ScheduledKernel): number {
  const inLoops = (list: readonly Statement[], inside: boolean): number =>
    list.reduce((n, s) => {
      if (s.kind === "for") return n + inLoops(s.body, true);
      if (s.kind === "if") return n + inLoops(s.then, inside) + inLoops(s.otherwise, inside);
      const isQuotient = s.kind === "let" && s.instr.kind === "binary" && s.instr.op === "div" &&
        s.instr.type.scalar === "f32";
      return n + (isQuotient && (inside || s.instr.type.width === 4) ? 1 : 0);
    }, 0);
  const inBlocks = (blocks: readonly Block[], inside: boolean): number =>
    blocks.reduce((n, block) => {
      if (block.kind === "loop") return n + inBlocks(block.body, true);
      return block.kind === "phase" ? n + inLoops(block.body, inside) : n;
    }, 0);
  return inBlocks(kernel.body, false);
}

Deno.test("softmax divides once per row, and is what it was", () => {
  for (const builtins of [false, true]) {
    for (const target of targets) {
      const x = numbers(rows * length).map((v) => 20 * v);
      const g = softmax(x, builtins);
      const kernels = g.run(target);
      if (target.name === "software") assert.deepEqual(kernels.map(divisions), [0]);
      assertClose(g.data.get("y")!, expected(x), 4e-6, `${target.name}`);
    }
  }
});

Deno.test("a row of softmax with a NaN or an infinite maximum is NaN throughout, and no other is", () => {
  for (const builtins of [false, true]) {
    const x = numbers(rows * length);
    x[3] = NaN;
    x[length + 5] = Infinity;
    x.fill(-Infinity, 2 * length, 3 * length);
    x[3 * length + 1] = -Infinity;
    for (const target of targets) {
      const g = softmax(x, builtins);
      g.run(target);
      assertClose(g.data.get("y")!, expected(x), 4e-6, target.name);
      assert.equal([...g.data.get("y")!].filter(Number.isNaN).length, 3 * length, target.name);
    }
  }
});

Deno.test("whatever else is divided by a sum of exponentials is multiplied by its reciprocal too", () => {
  const x = numbers(rows * length);
  const g = softmax(x, true, "other");
  const b = g.data.get("b")!;
  b[7] = NaN;
  b[8] = 3e38;
  for (const target of targets) {
    g.run(target);
    assertClose(g.data.get("y")!, expected(x, b as Float32Array), 4e-6, target.name);
  }
});
