import assert from "node:assert/strict";
import { randomOf } from "../../../compiler/reference/random.ts";
import { intervalOf } from "../../../runtime/lab/interval.ts";

Deno.test("intervalOf() cuts off what the binomial distribution allows, and says how much that is", () => {
  const upTo = (n: number) => Array.from({ length: n }, (_, i) => n - i);
  const of = (n: number) => {
    const { median, low, high, coverage } = intervalOf(upTo(n));
    return [median, low, high, Number(coverage.toFixed(4))];
  };
  assert.deepEqual(of(1), [1, 1, 1, 0]);
  assert.deepEqual(of(5), [3, 1, 5, 0.9375]);
  assert.deepEqual(of(6), [3.5, 1, 6, 0.9688]);
  assert.deepEqual(of(9), [5, 2, 8, 0.9609]);
  assert.deepEqual(of(15), [8, 4, 12, 0.9648]);
  assert.deepEqual(of(100).slice(0, 3), [50.5, 40, 61]);
});

Deno.test("the interval of skewed numbers holds their median as often as it says", () => {
  const random = randomOf(5);
  let held = 0;
  for (let trial = 0; trial < 2000; trial++) {
    const { low, high } = intervalOf(Array.from({ length: 11 }, () => random() ** 4));
    if (low <= 0.5 ** 4 && 0.5 ** 4 <= high) held++;
  }
  const { coverage } = intervalOf(Array.from({ length: 11 }, (_, i) => i));
  assert(coverage > 0.95 && coverage < 1);
  assert(Math.abs(held / 2000 - coverage) < 0.02, `${held} of 2000, and ${coverage} is said`);
});
