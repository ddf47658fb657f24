import assert from "node:assert/strict";
import {
  gradient,
  input,
  logSoftmax,
  logSumExp,
  model,
  mul,
  type Shape,
  softmax,
  sum,
  type Tensor,
} from "../../../mod.ts";
import { printGraph } from "../../../compiler/graph/print.ts";
import { assertClose, differentiate, noise } from "../../support/differentiate.ts";
import { runByReference } from "../../support/run_by_reference.ts";

const run = (
  f: (x: Tensor<Shape, "f32">) => Tensor,
  x: readonly number[],
  shape: readonly number[] = [x.length],
) => {
  const net = model({ x: input(shape, "f32") }, ({ x }) => ({ y: f(x) }));
  return [...runByReference(net.graph, { x }).outputs["y"]!];
};

Deno.test("softmax() is exp over its sum, however large x is", () => {
  assertClose(run((x) => softmax(x), [0, Math.log(3)]), [0.25, 0.75]);
  assertClose(run((x) => softmax(x), [1000, 1000 + Math.log(3)]), [0.25, 0.75]);
  assertClose(run((x) => softmax(x, 0), [0, 0, Math.log(3), 0], [2, 2]), [0.25, 0.5, 0.75, 0.5]);
});

Deno.test("softmax() gives NaN where a row has one, or nothing but −∞; −∞ itself is 0", () => {
  assertClose(run((x) => softmax(x), [1, NaN, 2]), [NaN, NaN, NaN]);
  assertClose(run((x) => softmax(x), [-Infinity, -Infinity]), [NaN, NaN]);
  assertClose(run((x) => softmax(x), [0, -Infinity]), [1, 0]);
});

Deno.test("logSoftmax() keeps what softmax() rounds to 0", () => {
  assertClose(run((x) => logSoftmax(x), [0, 2000]), [-2000, 0]);
});

Deno.test("logSumExp() knows its infinities", () => {
  assertClose(run((x) => logSumExp(x), [1000, 1000]), [1000 + Math.log(2)]);
  assertClose(run((x) => logSumExp(x), [-Infinity, -Infinity]), [-Infinity]);
  assertClose(run((x) => logSumExp(x), [0, Infinity]), [Infinity]);
  assertClose(run((x) => logSumExp(x), [0, NaN]), [NaN]);
});

Deno.test("their gradients are what differences say", () => {
  differentiate((x) => sum(mul(softmax(x), x)), noise(6));
  differentiate((x) => sum(mul(logSoftmax(x), x)), noise(6), [2, 3]);
  differentiate((x) => sum(logSumExp(x)), noise(6), [2, 3]);
});

Deno.test("no gradient flows through the shift: nothing is compared with the maximum", () => {
  const net = model({ x: input([4], "f32") }, ({ x }) => {
    const y = sum(mul(softmax(x), x));
    return { g: gradient(y, [x])[0]! };
  });
  const text = printGraph(net.graph);
  assert.match(text, /max .*fast=true/);
  assert.doesNotMatch(text, /equal/);
});
