import assert from "node:assert/strict";
import type { Value } from "../../../compiler/kernel/value.ts";
import { gpuTarget, softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import { checkSoftmax, crossEntropy, layerNorm, softmax } from "../../unit/schedule/row_cases.ts";
import { assertClose, dense, numbers, oneLane, RowGroup } from "../../unit/schedule/row_support.ts";

/** Few rows are many, and all short rows are taken at once. */
const eager = (target: Target): Target => ({
  ...target,
  name: `${target.name}, straight`,
  parallel: 1,
  lanes: { ...target.lanes, row: Math.min(4, target.lanes.row) },
  row: { ...target.row, straight: 64 },
});
const targets = [testTarget, softwareTarget, gpuTarget, oneLane].map(eager);
const sizes = [[16, 2], [17, 3], [40, 5], [1023, 2], [130, 7], [66, 8], [400, 4]] as const;

/** Is a whole row handled without a loop over its elements? Only rows that are left over have one. */
const loadsWide = (g: RowGroup, target: Target): boolean => {
  const text = JSON.stringify(
    g.schedule(target)[0]!.kernel,
    (key, value) => key === "array" ? undefined : value,
  );
  return /"kind":"load","type":{"scalar":"f32","width":4}/.test(text);
};

for (const target of targets) {
  Deno.test(`scheduleRow() takes four short rows at once, whatever their number, on ${target.name}`, () => {
    for (const [rows, length] of sizes) {
      const g = softmax(rows, length);
      const [kernel] = g.run(target);
      checkSoftmax(g, rows, length, `${rows} × ${length}`);
      assert.equal(kernel!.schedule, "row");
      assert.ok(loadsWide(g, target), `${rows} × ${length} is read in vectors`);
      // The gradient for two almost equal numbers has few digits.
      if (length > 3) layerNorm(rows, length).check((g) => g.run(target), `layer norm ${rows} × ${length}`);
      crossEntropy(rows, length).check((g) => g.run(target), `loss ${rows} × ${length}`);
    }
  });

  Deno.test(`scheduleRow() finds extremes and NaN of short rows on ${target.name}`, () => {
    const [rows, length] = [101, 3];
    const data = Float32Array.from(numbers(rows * length), (x) => Math.round(x * 4));
    data[5] = NaN;
    data[rows * length - 1] = NaN;
    data.fill(-Infinity, 30, 33);
    const g = new RowGroup();
    const { k } = g;
    const x = g.input("x", [rows, length], data);
    for (const op of ["argmax", "argmin", "max", "min"] as const) {
      g.output(op, [rows], ([i]) => k.reduce(op, [length], [i!], ([j]) => x.at([i!, j!])));
    }
    g.run(target);
    for (let i = 0; i < rows; i++) {
      const row = [...data.subarray(i * length, (i + 1) * length)];
      const nan = row.findIndex((v) => Number.isNaN(v));
      const [max, min] = [Math.max(...row), Math.min(...row)];
      assert.equal(g.data.get("argmax")![i], nan >= 0 ? nan : row.indexOf(max), `argmax of row ${i}`);
      assert.equal(g.data.get("argmin")![i], nan >= 0 ? nan : row.indexOf(min), `argmin of row ${i}`);
      assert.deepEqual([g.data.get("max")![i], g.data.get("min")![i]], [max, min]);
    }
  });

  Deno.test(`scheduleRow() overwrites short rows in place on ${target.name}`, () => {
    const [rows, length] = [53, 3];
    const g = new RowGroup();
    const { k } = g;
    const x = g.input("x", [rows, length], numbers(rows * length).map((v) => v + 2));
    const before = g.data.get("x")!.slice();
    const sum = (i: Value) => k.reduce("sum", [length], [i], ([j]) => x.at([i, j!]));
    g.output("y", [rows, length], ([i, j]) => k.div(x.at([i!, j!]), sum(i!)), "x");
    g.run(target);
    const want = Float64Array.from(before, (v, n) => {
      const row = before.subarray(n - n % length, n - n % length + length);
      return v / [...row].reduce((a, b) => a + b, 0);
    });
    assertClose(g.data.get("x")!, want, 1e-6, "x");
  });

  Deno.test(`scheduleRow() reads short rows of several axes, and short rows that are no block, on ${target.name}`, () => {
    const [N, H, W] = [36, 2, 3];
    const g = new RowGroup();
    const { k } = g;
    const x = g.random("x", [N, H, W]);
    // Transposed within a row, and rows with something between them, which ends within a vec4.
    const t = g.input("t", [N, H, W], numbers(N * H * W, 9), [H * W, 1, H]);
    const gap = g.input("gap", [N, H, W], numbers(N * (H * W + 1) - 1, 10), [H * W + 1, W, 1]);
    g.output("y", [N], ([n]) =>
      k.reduce("sum", [H, W], [n!], ([h, w]) => {
        const at = [n!, h!, w!];
        return k.add(k.mul(x.at(at), t.at(at)), gap.at(at));
      }));
    g.run(target);
    const strides = dense([N, H, W]);
    const want = Float64Array.from({ length: N }, (_, n) => {
      let sum = 0;
      for (let h = 0; h < H; h++) {
        for (let w = 0; w < W; w++) {
          const [a, b, c] = ["x", "t", "gap"].map((name) => g.data.get(name)!);
          sum += a![n * strides[0]! + h * strides[1]! + w]! * b![n * H * W + h + w * H]! +
            c![n * (H * W + 1) + h * W + w]!;
        }
      }
      return sum;
    });
    assertClose(g.data.get("y")!, want, 1e-5, "y");
  });
}

Deno.test("scheduleRow() has lanes go through many short rows on software, and fills a GPU with them", () => {
  for (const length of [2, 7]) {
    const rows = Math.ceil(2 ** 20 / length);
    const software = softmax(rows, length).schedule(softwareTarget)[0]!;
    assert.ok(software.groups <= rows / 4 / 8 / 36 + 1, `${software.groups} workgroups for ${rows} rows`);
    const gpu = softmax(rows, length).schedule(gpuTarget)[0]!;
    assert.equal(gpu.groups, Math.ceil(rows / 4 / gpu.kernel.lanes));
    assert.equal(gpu.kernel.lanes, gpuTarget.lanes.row);
  }
});
