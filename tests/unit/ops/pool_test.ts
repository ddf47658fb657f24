import { deepStrictEqual, throws } from "node:assert/strict";
import { gradient } from "../../../compiler/autodiff/gradient.ts";
import { adaptiveAveragePool, averagePool, globalAveragePool, maxPool } from "../../../ops/conv/pool.ts";
import { counting, evaluate, feed, graph } from "./host.ts";

Deno.test("maxPool() takes the largest of each window, and ties share its gradient", () => {
  const [y, flow] = evaluate(() => {
    const x = feed("x", [1, 1, 5]);
    const pooled = maxPool(x, 3, { stride: 2, padding: 1 });
    return [pooled, gradient(pooled, [x], feed("g", [1, 1, 3]))[0]!];
  }, { x: [-1, -3, -3, -2, -2], g: [1, 2, 4] });
  deepStrictEqual(y, [-1, -2, -2]);
  deepStrictEqual(flow, [1, 0, 0, 4, 2]);
});

Deno.test("averagePool() counts padding only where asked to", () => {
  const [without, counted] = evaluate(() => {
    const x = feed("x", [1, 1, 4]);
    return [averagePool(x, 2, { padding: 1 }), averagePool(x, 2, { padding: 1, countPadding: true })];
  }, { x: [2, 4, 6, 8] });
  deepStrictEqual(without, [2, 5, 8]);
  deepStrictEqual(counted, [1, 5, 4]);
});

Deno.test("averagePool() spreads its gradient over windows that overlap", () => {
  const [flow] = evaluate(() => {
    const x = feed("x", [1, 1, 3, 3]);
    return [gradient(averagePool(x, 2, { stride: 1 }), [x], feed("g", [1, 1, 2, 2]))[0]!];
  }, { g: [4, 8, 12, 16] });
  deepStrictEqual(flow, [1, 3, 2, 4, 10, 6, 3, 7, 4]);
});

Deno.test("adaptiveAveragePool() covers every element, with bins that overlap where they must", () => {
  const [even, odd, all] = evaluate(() => {
    const x = feed("x", [1, 1, 2, 6]);
    return [adaptiveAveragePool(x, [1, 3]), adaptiveAveragePool(x, [1, 4]), globalAveragePool(x)];
  }, { x: counting(12) });
  deepStrictEqual(even, [3.5, 5.5, 7.5]);
  deepStrictEqual(odd, [3.5, 4.5, 6.5, 7.5]);
  deepStrictEqual(all, [5.5]);
});

Deno.test("pooling keeps names of sizes, and refuses windows of nothing but padding", () => {
  graph(() => {
    const x = feed("x", ["batch", 3, "2*h"]);
    deepStrictEqual(maxPool(x, 2).shape, ["batch", 3, "h"]);
    deepStrictEqual(averagePool(x, 3, { stride: 1, padding: "same" }).shape, ["batch", 3, "2*h"]);
    throws(() => maxPool(x, 2, { padding: 2 }), /a padding of 2 makes windows of \[2\] that lie outside/);
    throws(() => maxPool(feed("y", [4, 5]), 2), /\[4, 5\] has no axes behind batch and channels/);
    throws(() => adaptiveAveragePool(x, 3), /the size of axis 2 of \[batch, 3, 2\*h\] must be a number/);
  });
});
