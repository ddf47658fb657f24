import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { gradient } from "../../../compiler/autodiff/gradient.ts";
import { categorical } from "../../../ops/random/categorical.ts";
import { bernoulli, normal, uniform } from "../../../ops/random/distributions.ts";
import { dropout } from "../../../ops/random/dropout.ts";
import { randomBits } from "../../../ops/random/bits.ts";
import { broadcastTo } from "../../../ops/views/broadcast.ts";
import { counting, evaluate, feed, graph } from "./host.ts";

const key = { "random/key": [1, 2] };
const n = 20000;

const mean = (x: readonly number[], power = 1) => x.reduce((sum, v) => sum + v ** power, 0) / x.length;

/** Within 5 standard errors; the numbers are the same in every run. */
const near = (measured: number, expected: number, deviation: number) =>
  ok(Math.abs(measured - expected) < 5 * deviation / Math.sqrt(n), `${measured} is not near ${expected}`);

Deno.test("uniform() has 24 bits, stays below 1 and fills the interval evenly", () => {
  const [u] = evaluate(() => [uniform([n])], key);
  ok(u!.every((x) => x >= 0 && x < 1 && Number.isInteger(x * 2 ** 24)));
  near(mean(u!), 1 / 2, 0.29);
  near(mean(u!, 2), 1 / 3, 0.3);
});

Deno.test("normal() has the moments of a normal distribution", () => {
  const [z] = evaluate(() => [normal([n])], key);
  near(mean(z!), 0, 1);
  near(mean(z!, 2), 1, Math.sqrt(2));
  near(mean(z!, 3), 0, Math.sqrt(15));
  near(mean(z!, 4), 3, Math.sqrt(96));
  // Neighbors come from one block and must not know of each other.
  near(mean(z!.map((x, i) => x * (z![i + 1] ?? 0))), 0, 1);
});

Deno.test("bernoulli() is true as often as asked, and needs a shape beside a number", () => {
  const [few, never, always] = evaluate(
    () => [bernoulli(0.25, [n]), bernoulli(0, [64]), bernoulli(1, [64])],
    key,
  );
  near(mean(few!), 0.25, Math.sqrt(0.25 * 0.75));
  strictEqual(mean(never!), 0);
  strictEqual(mean(always!), 1);
  graph(() => throws(() => bernoulli(0.5), /needs the shape of the result/));
});

Deno.test("categorical() draws each category as often as its logit says, and never one of −∞", () => {
  const logits = [Math.log(1), Math.log(2), -Infinity, Math.log(5)];
  const [drawn] = evaluate(() => {
    const rows = broadcastTo(feed("x", [4]), [n, 4]);
    const indices = categorical(rows);
    deepStrictEqual(indices.shape, [n]);
    return [indices];
  }, { ...key, x: logits });
  for (const [category, p] of [1 / 8, 2 / 8, 0, 5 / 8].entries()) {
    near(mean(drawn!.map((c) => Number(c === category))), p, Math.sqrt(p * (1 - p)) + 1e-9);
  }
  graph(() => throws(() => categorical(feed("y", [])), /have no axis of categories/));
});

Deno.test("dropout() keeps the expectation, and its gradient uses the same mask", () => {
  const [y, flow] = evaluate(() => {
    const x = feed("x", [64]);
    const dropped = dropout(x, 0.5);
    return [dropped, gradient(dropped, [x], feed("g", [64]))[0]!];
  }, { ...key, x: counting(64).map(() => 1), g: counting(64).map(() => 3) });
  ok(y!.includes(0) && y!.includes(2));
  deepStrictEqual(flow, y!.map((v) => v * 3));
  graph(() => {
    const x = feed("x", [4]);
    strictEqual(dropout(x, 0), x);
    throws(() => dropout(x, 1), /the rate 1 must be at least 0 and less than 1/);
  });
});

Deno.test("randomBits() of a longer tensor begins with those of a shorter one of the same stream", () => {
  const bits = (shape: readonly number[]) => evaluate(() => [randomBits(shape)], key)[0]!;
  deepStrictEqual(bits([11]).slice(0, 6), bits([2, 3]));
  graph(() => throws(() => randomBits([3], { key: feed("k", [2], "i32") as never }), /must be u32\[2\]/));
});
