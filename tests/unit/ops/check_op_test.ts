/** checkOp() holds ops from elsewhere to what it holds the table's ops to: each wrong statement is noticed. */

import assert from "node:assert/strict";
import { applyOp, checkOp, defineOp, mul, type Op, type Tensor } from "../../../mod.ts";

type None = Record<never, never>;

const cube: Op<None> = {
  name: "cubed",
  infer: ([x]) => [x!],
  gradient: ({ inputs: [x], cotangents: [g] }) => [g ? mul(g, mul(3, mul(x!, x!))) as Tensor : null],
  reference: ([x]) => [x!.map((v) => v ** 3)],
  lower: (k, [x], at) => k.mul(x!.at(at), k.mul(x!.at(at), x!.at(at))),
  ulp: 2,
  samples: [{ inputs: [{ shape: [3, 5], lo: 0.5, hi: 2 }], attrs: {} }],
};

Deno.test("checkOp() says what it compared", async () => {
  assert.deepEqual(await checkOp(defineOp(cube)), { samples: 1, results: 2, slopes: 15 });
  assert.throws(() => defineOp(cube), /there is an op "cubed" already; give yours a name of its own/);
  assert.throws(() => applyOp(cube, [], {}), /cubed is part of a graph and must be called inside model/);
});

Deno.test("checkOp() notices each statement that is wrong", async () => {
  const wrong: readonly (readonly [Partial<Op<None>>, RegExp])[] = [
    [{ samples: [] }, /cubed: no samples, so nothing of this op is tested/],
    [
      { infer: () => [{ shape: [15, 2], dtype: "f32" }] },
      /its reference gives 15 elements.*\[15,2\], which are 30/,
    ],
    [
      { reference: ([x]) => [x!.map((v) => v ** 3 * 1.01)] },
      /what it lowers to is not what its reference computes/,
    ],
    [{ lower: (k, [x], at) => k.mul(x!.at(at), 3) }, /result 0\[\d+\] is .* and should be .* ±/],
    [
      { gradient: ({ cotangents }) => [cotangents[0]!] },
      /the gradient of cubed of .* is wrong: ∂\(result 0\)/,
    ],
    [
      { samples: [{ inputs: [{ shape: [2], lo: 0, hi: 0 }], attrs: {} }] },
      /can tell a result from one that is 1 % off/,
    ],
  ];
  for (const [part, says] of wrong) {
    await assert.rejects(checkOp({ ...cube, ...part }), (error: Error) => {
      assert.equal(error.name, "WeftError");
      assert.match(error.message, says);
      return true;
    });
  }
});
