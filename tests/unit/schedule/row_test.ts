import assert from "node:assert/strict";
import { iterationsOf } from "../../../compiler/kernel/iterations.ts";
import { isFiniteValue } from "../../../compiler/kernel/numerics.ts";
import type { Value } from "../../../compiler/kernel/value.ts";
import { softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import { assertClose, merging, numbers, RowGroup, targets } from "./row_support.ts";

/** softmax and log-sum-exp of x[rows, length] along the last axis. */
function softmax(rows: number, length: number, data = numbers(rows * length)): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const x = g.input("x", [rows, length], data);
  const max = (i: Value) => k.reduce("max", [length], [i], ([j]) => x.at([i, j!]));
  const exp = (i: Value, j: Value) => k.unary("exp", k.sub(x.at([i, j]), max(i)));
  const sum = (i: Value) => k.reduce("sum", [length], [i], ([j]) => exp(i, j!));
  g.output("y", [rows, length], ([i, j]) => k.div(exp(i!, j!), sum(i!)));
  g.output("lse", [rows], ([i]) => k.add(k.unary("log", sum(i!)), max(i!)));
  return g;
}

function checkSoftmax(g: RowGroup, rows: number, length: number, what: string): void {
  const x = g.data.get("x")!;
  const y = new Float64Array(rows * length);
  const lse = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let max = -Infinity;
    for (let j = 0; j < length; j++) {
      max = Number.isNaN(x[i * length + j]!) ? NaN : Math.max(max, x[i * length + j]!);
    }
    let sum = 0;
    for (let j = 0; j < length; j++) sum += Math.exp(x[i * length + j]! - max);
    for (let j = 0; j < length; j++) y[i * length + j] = Math.exp(x[i * length + j]! - max) / sum;
    lse[i] = Math.log(sum) + max;
  }
  assertClose(g.data.get("y")!, y, 2e-6, `${what}: y`);
  assertClose(g.data.get("lse")!, lse, 2e-6, `${what}: lse`);
}

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
      g.run(target);
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

interface Case {
  check(run: (g: RowGroup) => void, what: string): void;
}

/** Layer norm with affine parameters, and its dx with mean and deviation computed again. */
function layerNorm(rows: number, length: number): Case {
  const g = new RowGroup();
  const { k } = g;
  const [x, dy] = [g.random("x", [rows, length]), g.random("dy", [rows, length])];
  const [gamma, beta] = [g.random("gamma", [length]), g.random("beta", [length])];
  const sum = (i: Value, body: (j: Value) => Value) => k.reduce("sum", [length], [i], ([j]) => body(j!));
  const mean = (i: Value) => k.div(sum(i, (j) => x.at([i, j])), length);
  const centered = (i: Value, j: Value) => k.sub(x.at([i, j]), mean(i));
  const variance = (i: Value) => k.div(sum(i, (j) => k.mul(centered(i, j), centered(i, j))), length);
  const deviation = (i: Value) => k.unary("inverseSqrt", k.add(variance(i), 1e-5));
  const normal = (i: Value, j: Value) => k.mul(centered(i, j), deviation(i));
  const scaled = (i: Value, j: Value) => k.mul(dy.at([i, j]), gamma.at([j]));
  g.output("y", [rows, length], ([i, j]) => k.add(k.mul(normal(i!, j!), gamma.at([j!])), beta.at([j!])));
  g.output("dx", [rows, length], ([i, j]) => {
    const m1 = k.div(sum(i!, (c) => scaled(i!, c)), length);
    const m2 = k.div(sum(i!, (c) => k.mul(scaled(i!, c), normal(i!, c))), length);
    return k.mul(deviation(i!), k.sub(k.sub(scaled(i!, j!), m1), k.mul(normal(i!, j!), m2)));
  });
  return {
    check(run, what) {
      run(g);
      const at = (name: string) => g.data.get(name)!;
      const y = new Float64Array(rows * length);
      const dx = new Float64Array(rows * length);
      for (let i = 0; i < rows; i++) {
        const row = Array.from({ length }, (_, j) => at("x")[i * length + j]!);
        const m = row.reduce((a, v) => a + v, 0) / length;
        const s = 1 / Math.sqrt(row.reduce((a, v) => a + (v - m) ** 2, 0) / length + 1e-5);
        const d = row.map((_, j) => at("dy")[i * length + j]! * at("gamma")[j]!);
        const m1 = d.reduce((a, v) => a + v, 0) / length;
        const m2 = d.reduce((a, v, j) => a + v * (row[j]! - m) * s, 0) / length;
        row.forEach((v, j) => {
          y[i * length + j] = (v - m) * s * at("gamma")[j]! + at("beta")[j]!;
          dx[i * length + j] = s * (d[j]! - m1 - (v - m) * s * m2);
        });
      }
      assertClose(at("y"), y, 1e-5, `${what}: y`);
      assertClose(at("dx"), dx, 2e-5, `${what}: dx`);
    },
  };
}

/** loss[i] = lse(x[i]) − x[i, label[i]] and dx = (softmax − one-hot) / rows. */
function crossEntropy(rows: number, length: number): Case {
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [rows, length]);
  const labels = Int32Array.from(numbers(rows, 5), (v) => Math.floor((v + 1) / 2 * length));
  const label = g.input("label", [rows], labels);
  const max = (i: Value) => k.reduce("max", [length], [i], ([j]) => x.at([i, j!]));
  const exp = (i: Value, j: Value) => k.unary("exp", k.sub(x.at([i, j]), max(i)));
  const sum = (i: Value) => k.reduce("sum", [length], [i], ([j]) => exp(i, j!));
  const isLabel = (i: Value, j: Value) => k.eq(j, label.at([i]));
  g.output("loss", [rows], ([i]) => {
    const picked = k.reduce("sum", [length], [i!], ([j]) => k.select(isLabel(i!, j!), x.at([i!, j!]), 0));
    return k.sub(k.add(k.unary("log", sum(i!)), max(i!)), picked);
  });
  g.output("dx", [rows, length], ([i, j]) => {
    const one = k.select(isLabel(i!, j!), k.const(1), 0);
    return k.div(k.sub(k.div(exp(i!, j!), sum(i!)), one), rows);
  });
  return {
    check(run, what) {
      run(g);
      const data = g.data.get("x")!;
      const loss = new Float64Array(rows);
      const dx = new Float64Array(rows * length);
      for (let i = 0; i < rows; i++) {
        const row = data.subarray(i * length, (i + 1) * length);
        let total = 0;
        for (const v of row) total += Math.exp(v);
        loss[i] = Math.log(total) - row[labels[i]!]!;
        row.forEach((v, j) => dx[i * length + j] = (Math.exp(v) / total - (j === labels[i] ? 1 : 0)) / rows);
      }
      assertClose(g.data.get("loss")!, loss, 2e-6, `${what}: loss`);
      assertClose(g.data.get("dx")!, dx, 2e-6, `${what}: dx`);
    },
  };
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

/** Lanes and chunks of a graphics processor on rows of test size. */
const splitting: Target = {
  ...merging,
  name: "test, splitting",
  parallel: 16,
  row: { ...merging.row, perChunk: 1 },
};

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
    norm.check((n) => assert.equal(n.run(splitting).length, 3), `${rows} × ${length} in chunks`);
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

Deno.test("scheduleRow() merges moments without cancellation", () => {
  const [rows, length] = [4, 512];
  const g = new RowGroup();
  const { k } = g;
  const data = Float32Array.from(numbers(rows * length), (x) => 10_000 + x);
  const x = g.input("x", [rows, length], data);
  const mean = (i: Value) => k.div(k.reduce("sum", [length], [i], ([j]) => x.at([i, j!])), length);
  g.output("variance", [rows], ([i]) => {
    const squares = k.reduce("sum", [length], [i!], ([j]) => {
      const d = k.sub(x.at([i!, j!]), mean(i!));
      return k.mul(d, d);
    });
    return k.div(squares, length);
  });
  for (const target of [merging, splitting, softwareTarget]) {
    g.run(target);
    for (let i = 0; i < rows; i++) {
      const row = [...data.subarray(i * length, (i + 1) * length)];
      const m = row.reduce((a, v) => a + v, 0) / length;
      const want = row.reduce((a, v) => a + (v - m) ** 2, 0) / length;
      assertClose(g.data.get("variance")!.subarray(i, i + 1), [want], 2e-3, `variance on ${target.name}`);
    }
  }
});

Deno.test("scheduleRow() merges log-sum-exp's shift, which is 0 where the maximum is infinite", () => {
  const [rows, length] = [5, 33];
  const data = numbers(rows * length);
  data.fill(-Infinity, 0, length);
  data[length + 3] = Infinity;
  data[2 * length + 7] = NaN;
  data.fill(-Infinity, 3 * length, 3 * length + 20);
  for (const target of targets) {
    const g = new RowGroup();
    const { k } = g;
    const x = g.input("x", [rows, length], data);
    g.output("lse", [rows], ([i]) => {
      const top = k.reduce("maxFast", [length], [i!], ([j]) => x.at([i!, j!]));
      const shift = k.select(isFiniteValue(k, top), top, 0);
      const sum = k.reduce("sum", [length], [i!], ([j]) => k.unary("exp", k.sub(x.at([i!, j!]), shift)));
      return k.add(k.unary("log", sum), shift);
    });
    g.run(target);
    const want = Array.from({ length: rows }, (_, i) => {
      let sum = 0;
      for (const v of data.subarray(i * length, (i + 1) * length)) sum += Math.exp(v);
      return Math.log(sum);
    });
    assertClose(g.data.get("lse")!, want, 2e-6, `lse on ${target.name}`);
  }
});
