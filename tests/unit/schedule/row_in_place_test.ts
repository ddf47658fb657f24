import assert from "node:assert/strict";
import { rowInPlaceSafe } from "../../../compiler/schedule/row/in_place.ts";
import type { Value } from "../../../compiler/kernel/value.ts";
import { assertClose, numbers, RowGroup, splitting, targets } from "./row_support.ts";

/** x over its row's sum, stored over x; and, if asked for, what another pass makes of x. */
function normalized(
  rows: number,
  length: number,
  after: "nothing" | "x again" | "a neighbor" = "nothing",
): RowGroup {
  const g = new RowGroup();
  const { k } = g;
  const x = g.input("x", [rows, length], numbers(rows * length).map((v) => v + 2));
  const sum = (i: Value) => k.reduce("sum", [length], [i], ([j]) => x.at([i, j!]));
  g.output("y", [rows, length], ([i, j]) => k.div(x.at([i!, j!]), sum(i!)), "x");
  if (after === "x again") {
    g.output(
      "z",
      [rows],
      ([i]) =>
        k.reduce("sum", [length], [i!], ([j]) =>
          k.unary(
            "exp",
            k.sub(
              x.at([i!, j!]),
              k.reduce("sum", [length], [i!], ([c]) => {
                return k.mul(x.at([i!, c!]), sum(i!));
              }),
            ),
          )),
    );
  }
  if (after === "a neighbor") {
    g.output("z", [rows, length], ([i, j]) => k.sub(x.at([i!, k.affine([[j!, -1]], length - 1)]), sum(i!)));
  }
  return g;
}

Deno.test("rowInPlaceSafe() holds for a result that each element's last reader stores", () => {
  for (const target of [...targets, splitting]) {
    for (const [rows, length] of [[5, 24], [3, 37], [2, 400], [64, 12]] as const) {
      const g = normalized(rows, length);
      const before = g.data.get("x")!.slice();
      assert.deepEqual(rowInPlaceSafe(g.lowered, g.roots[0]!, "x"), { safe: true });
      g.run(target);
      const want = Float64Array.from(before, (v, n) => {
        const i = Math.floor(n / length);
        return v / [...before.subarray(i * length, (i + 1) * length)].reduce((a, b) => a + b, 0);
      });
      assertClose(g.data.get("x")!, want, 1e-6, `${rows} × ${length} on ${target.name}`);
    }
  }
});

Deno.test("rowInPlaceSafe() refuses where a later pass reads the old contents", () => {
  const g = normalized(4, 8, "x again");
  const verdict = rowInPlaceSafe(g.lowered, g.roots[0]!, "x");
  assert.ok(!verdict.safe);
  assert.match(verdict.because, /stored in pass 1 over the row, and pass 2 still reads/);
});

Deno.test("rowInPlaceSafe() refuses where another element is read", () => {
  const g = normalized(4, 8, "a neighbor");
  const verdict = rowInPlaceSafe(g.lowered, g.roots[0]!, "x");
  assert.ok(!verdict.safe);
  assert.match(verdict.because, /another element/);
});

Deno.test("rowInPlaceSafe() lets a row's own scalar be stored over what only its row's results read", () => {
  for (const inside of [false, true]) {
    const g = new RowGroup();
    const { k } = g;
    const x = g.random("x", [6, 16]);
    const old = g.random("old", [6]);
    g.output("mean", [6], ([i]) => {
      const sum = k.reduce(
        "sum",
        [16],
        [i!],
        ([j]) => inside ? k.mul(x.at([i!, j!]), old.at([i!])) : x.at([i!, j!]),
      );
      return k.add(k.mul(old.at([i!]), 0.9), k.mul(sum, 0.1));
    }, "old");
    const verdict = rowInPlaceSafe(g.lowered, g.roots[0]!, "old");
    assert.equal(verdict.safe, !inside);
    if (inside) continue;
    for (const target of targets) {
      const before = g.data.get("old")!.slice();
      g.run(target);
      const want = Array.from(before, (o, i) => {
        return o * 0.9 +
          [...g.data.get("x")!.subarray(i * 16, (i + 1) * 16)].reduce((a, b) => a + b, 0) * 0.1;
      });
      assertClose(g.data.get("old")!, want, 1e-6, target.name);
    }
  }
});
