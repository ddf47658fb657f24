import assert from "node:assert/strict";
import type { Value } from "../../../compiler/kernel/value.ts";
import { gpuTarget, softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import { partLength } from "../../../compiler/schedule/contraction/split_k.ts";
import { Group, matmul, type Order } from "../../unit/schedule/contraction_support.ts";

const oneLane: Target = {
  ...testTarget,
  name: "one lane",
  lanes: { map: 1, row: 1, contraction: 1 },
  contraction: { ...testTarget.contraction, tile: [4, 8], depth: 4, grid: [1, 1] },
};
const panel: Target = {
  ...testTarget,
  name: "panel",
  contraction: { ...testTarget.contraction, shape: "panel", tile: [4, 8], depth: 4, grid: [1, 4] },
};
const staged: Target = {
  ...testTarget,
  name: "shared memory",
  contraction: { ...testTarget.contraction, tile: [4, 8], depth: 4, grid: [2, 2], staged: true },
};
// Small products would be plain loops.
const software: Target = { ...softwareTarget, contraction: { ...softwareTarget.contraction, plain: 0 } };
const targets: readonly Target[] = [testTarget, software, gpuTarget, oneLane, panel, staged];

const orders: readonly Order[] = ["normal", "transposed"];

for (const target of targets) {
  Deno.test(`scheduleContraction() multiplies matrices in all layouts on ${target.name}`, () => {
    for (const a of orders) {
      for (const b of orders) {
        for (const y of orders) {
          matmul([16, 24, 20], { a, b, y }).check(target);
          matmul([8, 8, 8], { a, b, y }).check(target);
          matmul([7, 5, 9], { a, b, y }).check(target);
        }
      }
    }
  });

  Deno.test(`scheduleContraction() takes any sizes on ${target.name}`, () => {
    for (
      const [M, K, N] of [
        [1, 8, 16],
        [16, 8, 1],
        [1, 2, 4],
        [3, 2, 1],
        [2, 127, 3],
        [33, 10, 4],
        [4, 64, 4],
        [5, 3, 70],
        // No side is whole vectors.
        [13, 37, 11],
        [3, 21, 33],
      ]
    ) {
      matmul([M!, K!, N!]).check(target);
    }
  });

  Deno.test(`scheduleContraction() evaluates what stands before and behind the sum on ${target.name}`, () => {
    for (const [M, K, N] of [[12, 16, 8], [5, 6, 7], [9, 37, 11]] as const) {
      const g = new Group();
      const { k } = g;
      const a = g.input("a", [M, K]);
      const b = g.input("b", [K, N]);
      const bias = g.input("bias", [N]);
      const residual = g.input("residual", [M, N]);
      const silu = (x: Value) => k.div(x, k.add(1, k.unary("exp", k.unary("neg", x))));
      const sum = (m: Value, n: Value) =>
        k.reduce("sum", [K], [m, n], ([i]) => k.mul(silu(a.at([m, i!])), b.at([i!, n])));
      g.output("y", [M, N], ([m, n]) => {
        const biased = k.add(sum(m!, n!), bias.at([n!]));
        return k.add(k.unary("tanh", biased), residual.at([m!, n!]));
      });
      g.output("raw", [M, N], ([m, n]) => k.mul(sum(m!, n!), 0.5));
      g.check(target);
    }
  });

  Deno.test(`scheduleContraction() keeps batch axes out of the tiles on ${target.name}`, () => {
    const g = new Group();
    const [B, H, M, K, N] = [2, 3, 8, 4, 6];
    const a = g.input("a", [B, H, M, K]);
    const b = g.input("b", [B, H, N, K]);
    g.output(
      "y",
      [B, H, M, N],
      ([x, h, m, n]) =>
        g.k.reduce(
          "sum",
          [K],
          [x!, h!, m!, n!],
          ([i]) => g.k.mul(a.at([x!, h!, m!, i!]), b.at([x!, h!, n!, i!])),
        ),
    );
    g.check(target);
  });

  Deno.test(`scheduleContraction() convolves on ${target.name}`, () => {
    for (const [S, X] of [[1, 8], [2, 7]] as const) {
      const g = new Group();
      const { k } = g;
      const [B, C, O, W] = [2, 3, 5, 3];
      const Y = Math.floor((X + 2 - W) / S) + 1;
      const x = g.input("x", [B, C, X, X]);
      const w = g.input("w", [O, C, W, W]);
      g.output(
        "y",
        [B, O, Y, Y],
        ([n, o, i, j]) =>
          k.reduce("sum", [C, W, W], [n!, o!, i!, j!], ([c, u, v]) => {
            const row = k.affine([[i!, S], [u!, 1]], -1);
            const column = k.affine([[j!, S], [v!, 1]], -1);
            const inside = [k.le(0, row), k.lt(row, X), k.le(0, column), k.lt(column, X)].reduce((p, q) =>
              k.and(p, q)
            );
            return k.mul(k.guard(inside, x.at([n!, c!, row, column]), 0), w.at([o!, c!, u!, v!]));
          }),
      );
      g.check(target, false);
    }
  });

  Deno.test(`scheduleContraction() combines sides by anything on ${target.name}`, () => {
    const g = new Group();
    const { k } = g;
    const [M, K, N] = [6, 5, 8];
    const a = g.input("a", [M, K]);
    const b = g.input("b", [N, K]);
    g.output("y", [M, N], ([m, n]) =>
      k.reduce("sum", [K], [m!, n!], ([i]) => {
        const d = k.sub(a.at([m!, i!]), b.at([n!, i!]));
        return k.mul(d, d);
      }));
    g.check(target);
    const plus = new Group();
    const c = plus.input("a", [M, K]);
    const d = plus.input("b", [K, N]);
    plus.output(
      "y",
      [M, N],
      ([m, n]) => plus.k.reduce("max", [K], [m!, n!], ([i]) => plus.k.add(c.at([m!, i!]), d.at([i!, n!]))),
    );
    plus.check(target);
  });

  Deno.test(`scheduleContraction() adds up rows by index on ${target.name}`, () => {
    const g = new Group();
    const { k } = g;
    const [V, T, D] = [9, 14, 8];
    const ids = g.indices("ids", T, V);
    const grad = g.input("grad", [T, D]);
    g.output(
      "y",
      [V, D],
      ([v, d]) =>
        k.reduce("sum", [T], [v!, d!], ([t]) => k.select(k.eq(ids.at([t!]), v!), grad.at([t!, d!]), 0)),
    );
    g.check(target);
  });

  Deno.test(`scheduleContraction() adds up a bias gradient beside a weight gradient on ${target.name}`, () => {
    for (const [B, T, M, N] of [[2, 6, 8, 8], [1, 20, 5, 7], [3, 4, 10, 12]] as const) {
      const g = new Group();
      const { k } = g;
      const x = g.input("x", [B * T, M]);
      const grad = g.input("grad", [B, T, N]);
      g.output(
        "dw",
        [M, N],
        ([m, n]) =>
          k.reduce(
            "sum",
            [B * T],
            [m!, n!],
            ([i]) => k.mul(x.at([i!, m!]), grad.at([k.idiv(i!, T), k.imod(i!, T), n!])),
          ),
      );
      g.output(
        "db",
        [N],
        ([n]) => k.mul(k.reduce("sum", [B, T], [n!], ([i, j]) => grad.at([i!, j!, n!])), 2),
      );
      assert.equal(g.check(target).length, 1);
    }
  });

  Deno.test(`scheduleContraction() updates in place on ${target.name}`, () => {
    for (const [M, K, N] of [[8, 40, 16], [7, 40, 5], [5, 40, 12]] as const) {
      const g = new Group();
      const { k } = g;
      const a = g.input("a", [M, K]);
      const b = g.input("b", [K, N]);
      const old = g.input("w", [M, N]);
      g.output("w", [M, N], ([m, n]) => {
        const sum = k.reduce("sum", [K], [m!, n!], ([i]) => k.mul(a.at([m!, i!]), b.at([i!, n!])));
        return k.sub(old.at([m!, n!]), k.mul(sum, 0.1));
      });
      g.check(target);
    }
  });

  Deno.test(`scheduleContraction() reads heads through reshapes on ${target.name}`, () => {
    const g = new Group();
    const { k } = g;
    const [B, H, T, D, N] = [2, 2, 3, 4, 8];
    const o = g.input("o", [B, H, T, D]);
    const w = g.input("w", [H * D, N]);
    g.output(
      "y",
      [B * T, N],
      ([r, n]) =>
        k.reduce(
          "sum",
          [H * D],
          [r!, n!],
          ([i]) => k.mul(o.at([k.idiv(r!, T), k.idiv(i!, D), k.imod(r!, T), k.imod(i!, D)]), w.at([i!, n!])),
        ),
    );
    g.check(target);
  });
}

Deno.test("scheduleContraction() splits long sums with few tiles", () => {
  const split = { parallel: 16, contraction: { ...testTarget.contraction, partSteps: 32 } };
  for (
    const target of [{ ...testTarget, ...split }, {
      ...panel,
      ...split,
      contraction: { ...panel.contraction, partSteps: 32 },
    }]
  ) {
    for (const [M, K, N] of [[4, 256, 8], [3, 331, 5], [1, 250, 4], [2, 1024, 4]] as const) {
      for (const a of orders) {
        const kernels = matmul([M, K, N], { a }).check(target, N % 4 === 0);
        assert.deepEqual(kernels.map((x) => x.split), [true, true]);
      }
    }
    const riding = matmul([4, 250, 8]);
    const right = riding.input("b", [250, 8]);
    riding.output("sums", [8], ([n]) => riding.k.reduce("sum", [250], [n!], ([i]) => right.at([i!, n!])));
    assert.equal(riding.check(target).length, 3);
    // Rows of pixels: several summed variables.
    const g = new Group();
    const { k } = g;
    const [B, C, O, X] = [4, 2, 5, 6];
    const x = g.input("x", [B, C, X, X]);
    const dy = g.input("dy", [B, O, X, X]);
    g.output("dw", [O, C, 3], ([o, c, u]) =>
      k.reduce("sum", [B, X, X], [o!, c!, u!], ([n, i, j]) => {
        const row = k.affine([[i!, 1], [u!, 1]], -1);
        const pixel = k.guard(k.and(k.le(0, row), k.lt(row, X)), x.at([n!, c!, row, j!]), 0);
        return k.mul(dy.at([n!, o!, i!, j!]), pixel);
      }));
    g.check(target, false);
  }
});

Deno.test("scheduleContraction() doesn't split a sum where its parts would be a buffer too many", () => {
  const within = (storageBuffers: number): Target => ({
    ...testTarget,
    parallel: 16,
    limits: { ...testTarget.limits, storageBuffers },
    contraction: { ...testTarget.contraction, partSteps: 32 },
  });
  // 331 is a prime: what the parts leave over is summed beside them, from both sides.
  const kernels = (storageBuffers: number) => matmul([4, 331, 8]).check(within(storageBuffers)).length;
  assert.deepEqual([kernels(4), kernels(3)], [2, 1]);
});

Deno.test("scheduleContraction() multiplies with what is a number, or equal in all columns, at some steps", () => {
  for (const target of targets) {
    const g = new Group();
    const { k } = g;
    const [x, row] = [g.input("x", [40, 40]), g.input("row", [40])];
    g.output("y", [40, 40], ([m, n]) =>
      k.reduce("sum", [40], [m!, n!], ([i]) => {
        const side = k.guard(k.lt(i!, k.int(1)), row.at([n!]), row.at([k.int(3)]));
        return k.mul(x.at([m!, i!]), k.guard(k.lt(i!, k.int(9)), side, k.const(0)));
      }));
    g.check(target);
  }
});

Deno.test("scheduleContraction() keeps sums in registers where scratch for them would be a buffer too many", () => {
  const within = (storageBuffers: number): Target => ({
    ...softwareTarget,
    limits: { ...softwareTarget.limits, storageBuffers },
  });
  // No lane has whole vectors of 48 columns alone, so the panel cannot keep its sums in the result.
  const kernel = (storageBuffers: number) => matmul([48, 48, 48]).check(within(storageBuffers))[0]!;
  assert.deepEqual([kernel(4), kernel(3)].map(({ scratch }) => scratch.length), [1, 0]);
});

Deno.test("partLength() leaves over as little as it can", () => {
  assert.equal(partLength(1024, 64), 64);
  assert.equal(partLength(1023, 15), 11);
  assert.equal(partLength(1000, 63), 40);
  assert.equal(partLength(7, 4), 3);
  // Of a sum this long no length after the other can be tried.
  assert.equal(partLength(2 ** 52, 2 ** 50 + 4), 2 ** 50);
});

Deno.test("scheduleContraction() loads vectors along k, transposed, where B is contiguous in k", () => {
  const [kernel] = matmul([16, 16, 16], { b: "transposed" }).check(softwareTarget);
  assert.ok(kernel!.kernel.buffers.length === 3);
});

Deno.test("scheduleContraction() refuses with numbers", () => {
  const g = new Group();
  const { k } = g;
  const x = g.input("x", [4, 8]);
  const y = g.input("y", [4, 8]);
  g.output("z", [8], ([n]) => k.reduce("sum", [4], [n!], ([i]) => k.mul(x.at([i!, n!]), y.at([i!, n!]))));
  assert.equal(g.refusal(testTarget), "all 2 operands of the sum over 4 terms have the same output axes");

  const nested = new Group();
  const a = nested.input("a", [4, 8]);
  const b = nested.input("b", [8, 4]);
  const v = nested.k;
  nested.output("z", [4, 4], ([m, n]) =>
    v.reduce("sum", [8], [m!, n!], ([i]) => {
      const norm = v.reduce("sum", [8], [m!, n!, i!], ([j]) => a.at([m!, j!]));
      return v.mul(v.div(a.at([m!, i!]), norm), b.at([i!, n!]));
    }));
  assert.equal(
    nested.refusal(testTarget),
    "a reduction of 8 terms inside the sum would be repeated up to 8 times",
  );
});
