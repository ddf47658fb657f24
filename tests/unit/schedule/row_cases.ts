/** Groups that tests of the row schedule share, each with its meaning as plain loops in f64. */

import type { Value } from "../../../compiler/kernel/value.ts";
import { assertClose, numbers, RowGroup } from "./row_support.ts";

/** softmax and log-sum-exp of x[rows, length] along the last axis. */
export function softmax(rows: number, length: number, data = numbers(rows * length)): RowGroup {
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

export function checkSoftmax(g: RowGroup, rows: number, length: number, what: string): void {
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

export interface Case {
  check(run: (g: RowGroup) => void, what: string): void;
}

/** Layer norm with affine parameters, and its dx with mean and deviation computed again. */
export function layerNorm(rows: number, length: number): Case {
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
export function crossEntropy(rows: number, length: number): Case {
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
