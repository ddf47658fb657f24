/** Sides that slide over what they read, and lanes that have rows of their own. */

import assert from "node:assert/strict";
import { statementsOfKernel } from "../../../compiler/kernel/walk.ts";
import type { Value } from "../../../compiler/kernel/value.ts";
import { contractionOf } from "../../../compiler/schedule/contraction/problem.ts";
import { panelTiling } from "../../../compiler/schedule/contraction/tiling.ts";
import { softwareTarget, type Target } from "../../../compiler/target.ts";
import { Group, matmul } from "./contraction_support.ts";

// Small products would be plain loops.
const software: Target = { ...softwareTarget, contraction: { ...softwareTarget.contraction, plain: 0 } };

interface Sliding {
  readonly sizes: readonly [batch: number, channels: number, results: number, side: number, window: number];
  readonly stride?: number;
  readonly dilation?: number;
  readonly border?: number;
  /** The window walks the other way, as in a gradient by the data. */
  readonly mirrored?: boolean;
}

/** A convolution in two dimensions, its border zeros. */
function convolution(
  { sizes: [B, C, O, X, W], stride = 1, dilation = 1, border = 0, mirrored }: Sliding,
): Group {
  const g = new Group();
  const { k } = g;
  const x = g.input("x", [B, C, X, X]);
  const w = g.input("w", [O, C, W, W]);
  const bias = g.input("bias", [O]);
  const Y = Math.floor((X + 2 * border - dilation * (W - 1) - 1) / stride) + 1;
  g.output("y", [B, O, Y, Y], ([n, o, i, j]) => {
    const sum = k.reduce("sum", [C, W, W], [n!, o!, i!, j!], ([c, u, v]) => {
      const along = (at: Value, tap: Value) =>
        mirrored
          ? k.affine([[at, stride], [tap, -dilation]], dilation * (W - 1) - border)
          : k.affine([[at, stride], [tap, dilation]], -border);
      const [row, column] = [along(i!, u!), along(j!, v!)];
      const inside = [k.le(0, row), k.lt(row, X), k.le(0, column), k.lt(column, X)].reduce((p, q) =>
        k.and(p, q)
      );
      return k.mul(k.guard(inside, x.at([n!, c!, row, column]), 0), w.at([o!, c!, u!, v!]));
    });
    return k.add(sum, bias.at([o!]));
  });
  return g;
}

Deno.test("scheduleContraction() writes a sliding side down, borders and all, and carries what windows share", () => {
  const slid: readonly Sliding[] = [
    { sizes: [2, 8, 32, 7, 3], border: 1 },
    { sizes: [1, 4, 36, 6, 3] },
    { sizes: [1, 8, 32, 9, 3], border: 1, stride: 2 },
    { sizes: [1, 4, 64, 8, 3], border: 2, dilation: 2 },
    { sizes: [2, 4, 32, 6, 3], border: 1, mirrored: true },
    { sizes: [1, 4, 32, 9, 5], border: 2 },
  ];
  for (const sliding of slid) {
    const kernels = convolution(sliding).check(software);
    assert.equal(kernels.length, 2, JSON.stringify(sliding));
    const loads = [...statementsOfKernel(kernels[1]!.kernel)].filter((s) =>
      s.kind === "let" && s.instr.kind === "load" && s.instr.buffer.endsWith(":windows")
    );
    assert.ok(loads.every((s) => s.kind === "let" && s.instr.type.width === 4));
  }
});

Deno.test("scheduleContraction() leaves a side as it is whose windows share little, or that few columns read", () => {
  const plain: readonly Sliding[] = [
    { sizes: [1, 8, 32, 9, 3], stride: 3 },
    { sizes: [1, 8, 12, 7, 3], border: 1 },
    { sizes: [1, 3, 32, 7, 3], border: 1 },
    { sizes: [1, 8, 32, 7, 1] },
  ];
  for (const sliding of plain) {
    assert.equal(convolution(sliding).check(software).length, 1, JSON.stringify(sliding));
  }
});

Deno.test("scheduleContraction() gives lanes rows where there are few columns", () => {
  const gridOf = (M: number, N: number) => {
    const c = contractionOf(matmul([M, 40, N]).lowered, software);
    assert.ok(!("refused" in c));
    assert.deepEqual(c.columns.map((v) => v.extent), [N]);
    return panelTiling(c, software)!.grid;
  };
  // Eight lanes of four vectors: of 64 columns half of them have enough, of 128 all are needed.
  assert.deepEqual(gridOf(1024, 64), [2, 4]);
  assert.deepEqual(gridOf(1024, 128), [1, 8]);
  // Two panels for the same columns are to be paid for by twice as many rows.
  assert.deepEqual(gridOf(200, 32), [2, 4]);
  assert.deepEqual(gridOf(100, 32), [1, 8]);
  for (const [M, K, N] of [[1024, 9, 64], [200, 21, 32], [777, 21, 12]] as const) {
    matmul([M, K, N]).check(software);
  }
});

Deno.test("scheduleContraction() takes few columns and many steps where lanes hand on what they load", () => {
  const shapeOf = (sizes: readonly [number, number, number], target: Target) => {
    const c = contractionOf(matmul(sizes).lowered, target);
    assert.ok(!("refused" in c));
    const { grid, columns, depth } = panelTiling(c, target)!;
    return { grid, columns, depth };
  };
  const handing = { ...software, broadcast: 8 };
  assert.deepEqual(shapeOf([512, 512, 512], software), { grid: [1, 8], columns: 4, depth: 16 });
  assert.deepEqual(shapeOf([512, 512, 512], handing), { grid: [1, 8], columns: 1, depth: 64 });
  // A sum that one turn holds lies in no memory: then more columns share a row of A.
  assert.deepEqual(shapeOf([512, 32, 512], handing), { grid: [1, 8], columns: 2, depth: 32 });
  assert.deepEqual(shapeOf([1024, 40, 64], handing).grid, [1, 8]);
  for (const [M, K, N] of [[100, 128, 96], [64, 100, 32], [40, 70, 100]] as const) {
    matmul([M, K, N]).check(handing);
  }
});
