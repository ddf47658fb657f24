import assert from "node:assert/strict";
import { kendall, pooled, regretOf } from "../../../runtime/lab/kendall.ts";

const points = (...pairs: [predicted: number, measured: number][]) =>
  pairs.map(([predicted, measured]) => ({ predicted, measured }));

Deno.test("kendall() is 1 in order, −1 in reverse, and counts pairs between", () => {
  assert.deepEqual(kendall(points([1, 10], [2, 20], [3, 30])), { tau: 1, pairs: 3 });
  assert.deepEqual(kendall(points([3, 10], [2, 20], [1, 30])), { tau: -1, pairs: 3 });
  assert.deepEqual(kendall(points([1, 1], [2, 3], [3, 2])), { tau: 1 / 3, pairs: 3 });
});

Deno.test("kendall() takes what the model finds equal for neither right nor wrong", () => {
  assert.deepEqual(kendall(points([1, 10], [1, 20])), { tau: 0, pairs: 1 });
  assert.deepEqual(kendall(points([1, 10], [1, 20]), { told: 1.02 }), { tau: undefined, pairs: 0 });
});

Deno.test("kendall() leaves out pairs that are too far apart, and those that no clock tells apart", () => {
  const times = points([1, 1], [2, 3], [4, 3.1], [9, 20]);
  assert.deepEqual(kendall(times, { within: 4 }), { tau: 1, pairs: 3 });
  assert.deepEqual(kendall(times, { within: 4, beyond: 1.05 }), { tau: 1, pairs: 2 });
  assert.deepEqual(kendall([]), { tau: undefined, pairs: 0 });
});

Deno.test("pooled() weighs each list by its pairs", () => {
  const all = pooled([{ tau: 1, pairs: 3 }, { tau: -1, pairs: 1 }, { tau: undefined, pairs: 0 }]);
  assert.deepEqual(all, { tau: 0.5, pairs: 4 });
});

Deno.test("regretOf() is what believing the model costs", () => {
  assert.equal(regretOf(points([1, 30], [2, 20], [3, 40])), 1.5);
  assert.equal(regretOf(points([1, 20], [2, 30])), 1);
});
