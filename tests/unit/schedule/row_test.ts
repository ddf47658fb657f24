import assert from "node:assert/strict";
import type { Value } from "../../../compiler/kernel/value.ts";
import { softwareTarget, testTarget } from "../../../compiler/target.ts";
import { checkSoftmax, crossEntropy, layerNorm, softmax } from "./row_cases.ts";
import { assertClose, numbers, RowGroup, targets } from "./row_support.ts";

const sizes = [[1, 2], [3, 4], [5, 7], [4, 4], [33, 64], [2, 1023], [7, 129], [64, 20], [130, 8], [
  1,
  4096,
]] as const;

for (const target of targets) {
  Deno.test(`scheduleRow() makes one kernel of softmax and log-sum-exp on ${target.name}`, () => {
    for (const [rows, length] of sizes) {
      const g = softmax(rows, length);
      g.run(target);
      checkSoftmax(g, rows, length, `${rows} × ${length}`);
    }
    assert.equal(softmax(4096, 64).schedule(target).length, 1);
  });

  Deno.test(`scheduleRow() keeps NaN and infinities of a row on ${target.name}`, () => {
    const [rows, length] = [6, 37];
    const data = numbers(rows * length);
    data[5] = NaN;
    data.fill(-Infinity, length, 2 * length);
    data.fill(-Infinity, 2 * length, 3 * length - 2);
    data[3 * length + 9] = Infinity;
    data[4 * length] = -Infinity;
    const g = softmax(rows, length, data);
    g.run(target);
    checkSoftmax(g, rows, length, "special");
  });

  Deno.test(`scheduleRow() normalizes layers, and recomputes mean and deviation for their gradient on ${target.name}`, () => {
    for (const [rows, length] of [[3, 8], [40, 48], [5, 33], [2, 770]] as const) {
      layerNorm(rows, length).check((g) => g.run(target), `${rows} × ${length}`);
    }
  });

  Deno.test(`scheduleRow() gives the loss of a row and the gradient of its logits on ${target.name}`, () => {
    for (const [rows, length] of [[4, 10], [128, 10], [3, 96], [1, 50257]] as const) {
      crossEntropy(rows, length).check((g) => g.run(target), `${rows} × ${length}`);
    }
  });

  Deno.test(`scheduleRow() sums everything on ${target.name}`, () => {
    for (const shape of [[2], [5], [64], [1023], [50257], [3, 5, 7], [16, 24], [4, 1000]]) {
      const g = new RowGroup();
      const x = g.random("x", shape);
      g.output("sum", [], () => g.k.reduce("sum", shape, [], (at) => x.at(at)));
      g.run(target);
      let sum = 0;
      for (const v of g.data.get("x")!) sum += v;
      assertClose(g.data.get("sum")!, [sum], 1e-4, `[${shape}]`);
    }
  });

  Deno.test(`scheduleRow() sums columns, several results at once, on ${target.name}`, () => {
    for (
      const [rows, columns] of [[8, 4], [5, 3], [100, 12], [33, 7], [64, 64], [1000, 20], [513, 1]] as const
    ) {
      const g = new RowGroup();
      const { k } = g;
      const x = g.random("x", [rows, columns]);
      const dy = g.random("dy", [rows, columns]);
      const mean = g.random("mean", [rows]);
      g.output(
        "dGamma",
        [columns],
        ([c]) =>
          k.reduce(
            "sum",
            [rows],
            [c!],
            ([r]) => k.mul(dy.at([r!, c!]), k.sub(x.at([r!, c!]), mean.at([r!]))),
          ),
      );
      g.output("dBeta", [columns], ([c]) => k.reduce("sum", [rows], [c!], ([r]) => dy.at([r!, c!])));
      const kernels = g.run(target);
      if (columns > 1) assert.ok(kernels.every((x) => x.schedule === "column"));
      const dGamma = new Float64Array(columns);
      const dBeta = new Float64Array(columns);
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) {
          const d = g.data.get("dy")![r * columns + c]!;
          dGamma[c]! += d * (g.data.get("x")![r * columns + c]! - g.data.get("mean")![r]!);
          dBeta[c]! += d;
        }
      }
      assertClose(g.data.get("dGamma")!, dGamma, 2e-5, `${rows} × ${columns}: dGamma`);
      assertClose(g.data.get("dBeta")!, dBeta, 2e-5, `${rows} × ${columns}: dBeta`);
    }
  });

  Deno.test(`scheduleRow() finds the first extreme, and the first NaN, on ${target.name}`, () => {
    for (const [rows, length] of [[6, 9], [6, 40], [6, 331]] as const) {
      const data = Float32Array.from(numbers(rows * length), (x) => Math.round(x * 4));
      data[2 * length + 5] = NaN;
      data[2 * length + 8] = NaN;
      data[3 * length + length - 1] = NaN;
      data.fill(-Infinity, 4 * length, 5 * length);
      const g = new RowGroup();
      const { k } = g;
      const x = g.input("x", [rows, length], data);
      const over = (op: "argmax" | "argmin" | "max" | "min") =>
        g.output(op, [rows], ([i]) => k.reduce(op, [length], [i!], ([j]) => x.at([i!, j!])));
      for (const op of ["argmax", "argmin", "max", "min"] as const) over(op);
      g.run(target);
      for (let i = 0; i < rows; i++) {
        const row = [...data.subarray(i * length, (i + 1) * length)];
        const nan = row.findIndex((v) => Number.isNaN(v));
        const [max, min] = [Math.max(...row), Math.min(...row)];
        assert.equal(
          g.data.get("argmax")![i],
          nan >= 0 ? nan : row.indexOf(max),
          `argmax of row ${i} of ${length}`,
        );
        assert.equal(
          g.data.get("argmin")![i],
          nan >= 0 ? nan : row.indexOf(min),
          `argmin of row ${i} of ${length}`,
        );
        assert.deepEqual([g.data.get("max")![i], g.data.get("min")![i]], [max, min]);
      }
    }
  });

  Deno.test(`scheduleRow() reduces integers and bools on ${target.name}`, () => {
    const [rows, length] = [5, 24];
    const g = new RowGroup();
    const { k } = g;
    const ints = Int32Array.from(numbers(rows * length), (x) => Math.round(x * 3));
    const bits = Uint32Array.from(numbers(rows * length, 7), (x, i) => i < length ? 1 : x > 0.8 ? 1 : 0);
    const x = g.input("x", [rows, length], ints);
    const b = g.input("b", [rows, length], bits);
    g.output("prod", [rows], ([i]) => k.reduce("prod", [length], [i!], ([j]) => x.at([i!, j!])));
    g.output("max", [rows], ([i]) => k.reduce("max", [length], [i!], ([j]) => x.at([i!, j!])));
    g.output("any", [rows], ([i]) => k.reduce("max", [length], [i!], ([j]) => b.at([i!, j!])));
    g.output("all", [rows], ([i]) => k.reduce("min", [length], [i!], ([j]) => b.at([i!, j!])));
    g.run(target);
    for (let i = 0; i < rows; i++) {
      const row = ints.subarray(i * length, (i + 1) * length);
      const flags = bits.subarray(i * length, (i + 1) * length);
      assert.equal(g.data.get("prod")![i], row.reduce((a, v) => Math.imul(a, v), 1));
      assert.equal(g.data.get("max")![i], Math.max(...row));
      assert.equal(g.data.get("any")![i], Math.max(...flags));
      assert.equal(g.data.get("all")![i], Math.min(...flags));
    }
  });

  Deno.test(`scheduleRow() reduces batch norm's axes, which are not neighbors, on ${target.name}`, () => {
    const [N, C, H, W] = [3, 5, 4, 6];
    const g = new RowGroup();
    const { k } = g;
    const x = g.random("x", [N, C, H, W]);
    const mean = (c: Value) =>
      k.div(k.reduce("sum", [N, H, W], [c], ([n, h, w]) => x.at([n!, c, h!, w!])), N * H * W);
    g.output("mean", [C], ([c]) => mean(c!));
    g.output("variance", [C], ([c]) =>
      k.reduce("sum", [N, H, W], [c!], ([n, h, w]) => {
        const d = k.sub(x.at([n!, c!, h!, w!]), mean(c!));
        return k.mul(d, d);
      }));
    g.run(target);
    for (let c = 0; c < C; c++) {
      const own = [...g.data.get("x")!].filter((_, i) => Math.floor(i / (H * W)) % C === c);
      const m = own.reduce((a, v) => a + v, 0) / own.length;
      assertClose(Float32Array.of(g.data.get("mean")![c]!), [m], 1e-6, "mean");
      const v = own.reduce((a, x) => a + (x - m) ** 2, 0);
      assertClose(Float32Array.of(g.data.get("variance")![c]!), [v], 1e-5, "variance");
    }
  });
}

Deno.test("scheduleRow() shares passes between equal heights and reads a row as often as it must", () => {
  // max, then Σ exp, then y: three loops; the loss's own sum rides along with the first.
  const g = softmax(4096, 64);
  const [kernel] = g.schedule({ ...softwareTarget, row: { ...softwareTarget.row, unroll: 1 } });
  assert.equal(kernel!.schedule, "row");
  assert.equal(kernel!.kernel.body.length, 1, "lanes with rows of their own need one phase");
});

Deno.test("scheduleRow() refuses reductions over different numbers of elements", () => {
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [4, 6]);
  g.output("y", [4], ([i]) => k.reduce("sum", [6], [i!], ([j]) => x.at([i!, j!])));
  g.output("z", [6], ([j]) => k.reduce("sum", [4], [j!], ([i]) => x.at([i!, j!])));
  assert.match(g.refusal(), /over \[6\] and \[4\]/);
});

Deno.test("scheduleRow() refuses a reduction inside another that depends on its index", () => {
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [8, 8]);
  g.output(
    "y",
    [],
    () =>
      k.reduce("sum", [8], [], ([i]) => k.unary("exp", k.reduce("sum", [8], [i!], ([j]) => x.at([i!, j!])))),
  );
  assert.match(g.refusal(), /would run 8 times/);
});

Deno.test("scheduleRow() refuses what would repeat a reduction, and says how often", () => {
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [4, 6]);
  const w = g.random("w", [9]);
  g.output("y", [4, 9], ([i, c]) => k.mul(w.at([c!]), k.reduce("sum", [6], [i!], ([j]) => x.at([i!, j!]))));
  assert.match(g.refusal(), /repeated 9 times/);
});

Deno.test("scheduleRow() refuses a group without a reduction", () => {
  const g = new RowGroup();
  const x = g.random("x", [4]);
  g.output("y", [4], ([i]) => x.at([i!]));
  assert.match(g.refusal(testTarget), /nothing is reduced/);
});
