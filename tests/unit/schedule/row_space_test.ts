import assert from "node:assert/strict";
import type { Value } from "../../../compiler/kernel/value.ts";
import { softwareTarget, type Target } from "../../../compiler/target.ts";
import { layerNorm, softmax } from "./row_cases.ts";
import { assertClose, handing, RowGroup, targets } from "./row_support.ts";

Deno.test("scheduleRow() takes results of the same rows in different factorings", () => {
  const [batch, time, length] = [3, 5, 8];
  for (const target of targets) {
    const g = new RowGroup();
    const { k } = g;
    const x = g.random("x", [batch, time, length]);
    const sum = (b: Value, t: Value) => k.reduce("sum", [length], [b, t], ([j]) => x.at([b, t, j!]));
    g.output("y", [batch, time, length], ([b, t, j]) => k.div(x.at([b!, t!, j!]), sum(b!, t!)));
    g.output("sums", [batch * time], ([i]) => sum(k.idiv(i!, time), k.imod(i!, time)));
    g.output("flat", [batch * time, length], ([i, j]) => {
      const [b, t] = [k.idiv(i!, time), k.imod(i!, time)];
      return k.mul(x.at([b, t, j!]), sum(b, t));
    });
    assert.equal(g.run(target).length, 1);
    const data = g.data.get("x")!;
    const sums = Array.from({ length: batch * time }, (_, i) => {
      return [...data.subarray(i * length, (i + 1) * length)].reduce((a, v) => a + v, 0);
    });
    assertClose(g.data.get("sums")!, sums, 1e-6, `sums on ${target.name}`);
    assertClose(g.data.get("y")!, Array.from(data, (v, n) => v / sums[Math.floor(n / length)]!), 1e-5, "y");
    assertClose(
      g.data.get("flat")!,
      Array.from(data, (v, n) => v * sums[Math.floor(n / length)]!),
      1e-6,
      "flat",
    );
  }
});

Deno.test("scheduleRow() gives reductions that bind different variables one name", () => {
  // Read at [i, j] the second reduction binds another variable than the first, though it is the same reduction.
  const n = 12;
  for (const target of targets) {
    const g = new RowGroup();
    const { k } = g;
    const x = g.random("x", [n, n]);
    const max = (at: readonly Value[]) => k.reduce("max", [n], at, ([c]) => x.at([at[0]!, c!]));
    g.output("max", [n], ([i]) => max([i!]));
    g.output("y", [n, n], ([i, j]) => k.sub(x.at([i!, j!]), max([i!, j!])));
    const [kernel] = g.run(target);
    const arrays = kernel!.kernel.arrays.filter((a) => a.type.scalar === "u32");
    assert.ok(arrays.length <= 1, "one maximum, so one watch for NaN");
    const data = g.data.get("x")!;
    const want = Array.from({ length: n }, (_, i) => Math.max(...data.subarray(i * n, (i + 1) * n)));
    assertClose(g.data.get("max")!, want, 0, `max on ${target.name}`);
    assertClose(g.data.get("y")!, Array.from(data, (v, i) => v - want[Math.floor(i / n)]!), 1e-7, "y");
  }
});

Deno.test("scheduleRow() refuses a transposed use of a row's scalar", () => {
  const n = 8;
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [n, n]);
  const sum = (i: Value) => k.reduce("sum", [n], [i], ([j]) => x.at([i, j!]));
  g.output("y", [n, n], ([i, j]) => k.mul(x.at([i!, j!]), sum(j!)));
  assert.match(g.refusal(), /the place within the row/);
});

Deno.test("scheduleRow() refuses results of different numbers of rows, with the numbers", () => {
  const g = new RowGroup();
  const { k } = g;
  const x = g.random("x", [6, 8]);
  const z = g.random("z", [3, 8]);
  g.output("y", [6], ([i]) => k.reduce("sum", [8], [i!], ([j]) => x.at([i!, j!])));
  g.output("w", [3], ([i]) => k.reduce("sum", [8], [i!], ([j]) => z.at([i!, j!])));
  assert.match(g.refusal(), /\[3\] has 3 rows of 8, one of shape \[6\] has 6/);
});

Deno.test("scheduleRow() gives a lane two rows where they share what they read", () => {
  layerNorm(128, 20).check((g) => {
    const [kernel] = g.run(softwareTarget);
    // Of 8 lanes, each with two such pairs one after the other.
    assert.equal(kernel!.groups, 128 / 2 / 8 / 2);
  }, "two rows per lane");
  // The rows of a softmax share nothing.
  const [kernel] = softmax(128, 20).schedule({ ...softwareTarget, mapPerLane: 1 });
  assert.equal(kernel!.groups, 128 / 8);
});

Deno.test("scheduleRow() lets lanes share rows that compete for a cache's places, if they hand on what they have", () => {
  const groups = (columns: number, target: Target) => softmax(64, columns).schedule(target)[0]!.groups;
  const one = { ...handing, mapPerLane: 1 };
  assert.equal(groups(1024, one), 64);
  assert.equal(groups(1000, one), 64 / 8);
  assert.equal(groups(1024, { ...one, subgroup: 0 }), 64 / 8);
});
