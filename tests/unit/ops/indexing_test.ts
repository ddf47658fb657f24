import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { gradient } from "../../../compiler/autodiff/gradient.ts";
import { embedding, gather, takeAlongAxis } from "../../../ops/indexing/gather.ts";
import { oneHot } from "../../../ops/indexing/one_hot.ts";
import { scatterAdd } from "../../../ops/indexing/scatter_add.ts";
import { argsort, sort, topK } from "../../../ops/indexing/sort.ts";
import { counting, evaluate, feed, graph } from "./host.ts";

Deno.test("gather() puts the axes of the indices where the axis was", () => {
  const [rows, columns, along] = evaluate(() => {
    const x = feed("x", [2, 3]);
    return [
      gather(x, feed("r", [1, 2], "i32")),
      gather(x, feed("c", [2], "i32"), 1),
      takeAlongAxis(x, feed("a", [2, 1], "i32"), 1),
    ];
  }, { x: counting(6), r: [1, 0], c: [2, 0], a: [2, 1] });
  deepStrictEqual(rows, [3, 4, 5, 0, 1, 2]);
  deepStrictEqual(columns, [2, 0, 5, 3]);
  deepStrictEqual(along, [2, 4]);
});

Deno.test("gather() reads NaN out of range and lets nothing flow there", () => {
  const [read, flow] = evaluate(() => {
    const table = feed("x", [3]);
    const picked = embedding(table, feed("i", [4], "i32"));
    return [picked, gradient(picked, [table], feed("g", [4]))[0]!];
  }, { x: [10, 11, 12], i: [-1, 2, 3, 2], g: [1, 2, 4, 8] });
  deepStrictEqual(read, [NaN, 12, NaN, 12]);
  deepStrictEqual(flow, [0, 0, 10]);
});

Deno.test("scatterAdd() leaves out what is out of range, forwards and backwards", () => {
  const [sums, flow] = evaluate(() => {
    const updates = feed("u", [4]);
    const added = scatterAdd(updates, feed("i", [4], "i32"), { size: 2 });
    return [added, gradient(added, [updates], feed("g", [2]))[0]!];
  }, { u: [1, 2, 4, 8], i: [1, -1, 1, 2], g: [3, 5] });
  deepStrictEqual(sums, [0, 5]);
  deepStrictEqual(flow, [5, 0, 5, 0]);
});

Deno.test("indexing ops say what does not fit", () => {
  graph(() => {
    const x = feed("x", [3, 4]);
    throws(
      () => gather(x, feed("u", [2], "u32") as never),
      /indices are u32\[2\]; use cast\(indices, "i32"\)/,
    );
    throws(() => takeAlongAxis(x, feed("i", [2, 1], "i32"), 1), /must be equal except on axis 1: axis 0/);
    throws(() => scatterAdd(x, feed("j", [2], "i32"), { size: 5 }), /do not cover \[3, 4\] from axis 0 on/);
    throws(() => topK(x, 5), /axis 1 of \[3, 4\] has 4 elements; k = 5/);
  });
});

Deno.test("oneHot() may put its axis anywhere", () => {
  const [first] = evaluate(() => {
    const hot = oneHot(feed("i", [3], "i32"), 2, { axis: 0, dtype: "i32" });
    deepStrictEqual(hot.shape, [2, 3]);
    return [hot];
  }, { i: [1, 0, 5] });
  deepStrictEqual(first, [0, 1, 0, 1, 0, 0]);
});

Deno.test("sort() is stable and puts NaN last in both directions", () => {
  const values = [2, NaN, 1, 2, -Infinity];
  const [up, down, order, kept, where] = evaluate(() => {
    const x = feed("x", [5]);
    const top = topK(x, 2);
    return [
      sort(x),
      sort(x, { descending: true }),
      argsort(x, { descending: true }),
      top.values,
      top.indices,
    ];
  }, { x: values });
  deepStrictEqual(up, [-Infinity, 1, 2, 2, NaN]);
  deepStrictEqual(down, [2, 2, 1, -Infinity, NaN]);
  deepStrictEqual(order, [0, 3, 2, 4, 1]);
  deepStrictEqual(kept, [2, 2]);
  deepStrictEqual(where, [0, 3]);
});

Deno.test("sort() sends the gradient to where each element came from", () => {
  const [flow] = evaluate(() => {
    const x = feed("x", [2, 3]);
    return [gradient(sort(x, { axis: 0 }), [x], feed("g", [2, 3]))[0]!];
  }, { x: [3, 1, 2, 0, 5, 2], g: [1, 2, 3, 4, 5, 6] });
  deepStrictEqual(flow, [4, 2, 3, 1, 5, 6]);
  graph(() => strictEqual(argsort(feed("x", ["batch", 7]), { axis: 0 }).shape[0], "batch"));
});
