import { isFiniteValue } from "../../../compiler/kernel/numerics.ts";
import type { Value } from "../../../compiler/kernel/value.ts";
import { softwareTarget } from "../../../compiler/target.ts";
import { assertClose, merging, numbers, RowGroup, splitting, targets } from "./row_support.ts";

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
