/**
 * Shapes in the types: what the checker infers, and what it refuses. A line marked `@ts-expect-error` that is no error
 * is one, so `deno check` runs this test; `deno test` has nothing left to do.
 */

import {
  add,
  attention,
  concat,
  crossEntropy,
  type Dim,
  div,
  embedding,
  equal,
  expandDims,
  expectShape,
  input,
  linear,
  matmul,
  max,
  maximum,
  maxPool,
  mean,
  model,
  mse,
  mul,
  nn,
  permute,
  pow,
  relu,
  reshape,
  type Shape,
  slice,
  softmax,
  split,
  sub,
  sum,
  type Tensor,
  trainStep,
  transpose,
  where,
} from "../../../mod.ts";
import type { Handles } from "../../../compiler/model/input.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Fails to check where the tensor's shape is not exactly S. */
function shapeIs<const S extends Shape>() {
  return <T extends Shape>(_tensor: Tensor<T>, _same: Equal<T, S>): void => {};
}

const specs = {
  x: input(["batch", 4, 5], "f32"),
  row: input([5], "f32"),
  ids: input(["batch", 7], "i32"),
  flag: input(["batch", 1, 5], "bool"),
  n: input([3 as number, 5], "f32"),
};

/** Runs nothing: the checker reads it. */
function inferred(
  { x, row, ids, flag, n }: Handles<typeof specs>,
  any: Tensor,
  wide: Tensor<Shape, "f32">,
): void {
  shapeIs<readonly ["batch", 4, 5]>()(add(x, row), true);
  shapeIs<readonly ["batch", 4, 5]>()(sub(row, x), true);
  shapeIs<readonly ["batch", 4, 5]>()(mul(x, 2), true);
  shapeIs<readonly ["batch", 4, 5]>()(div(1, x), true);
  shapeIs<readonly ["batch", 4, 5]>()(where(flag, x, 0), true);
  shapeIs<readonly ["batch", 4, 5]>()(where(equal(x, row), row, 0), true);
  shapeIs<readonly ["batch", 4, 5]>()(maximum(expandDims(row, 0), x), true);
  shapeIs<readonly ["batch", 4, 5]>()(pow(row, x), true);
  shapeIs<readonly ["batch", 4, 5]>()(pow(2, x), true);
  shapeIs<readonly [number, 5]>()(add(n, row), true);
  shapeIs<Shape>()(add(x, wide), true);
  shapeIs<Shape>()(add(any, any), true);

  shapeIs<readonly ["batch", 4, 8]>()(matmul(x, reshape(any, [5, 8])), true);
  shapeIs<readonly ["batch", 4, 4]>()(matmul(x, transpose(x)), true);
  shapeIs<readonly ["batch", 4]>()(matmul(x, row), true);
  shapeIs<readonly [number, 8]>()(matmul(n, reshape(row, [5, 8])), true);
  shapeIs<readonly ["batch", 4, number]>()(matmul(x, transpose(n)), true);

  shapeIs<readonly []>()(sum(x), true);
  shapeIs<readonly []>()(mean(wide), true);
  shapeIs<readonly ["batch", 4]>()(sum(x, -1), true);
  shapeIs<readonly [4, 5]>()(max(x, 0), true);
  shapeIs<readonly [4]>()(mean(x, [0, -1]), true);
  shapeIs<readonly ["batch", 1, 5]>()(mean(x, 1, { keepDims: true }), true);
  shapeIs<Shape>()(sum(x, 1 as number), true);

  shapeIs<readonly [5, "batch", 4]>()(permute(x, [2, 0, 1]), true);
  shapeIs<readonly [5, "batch", 4]>()(permute(x, [-1, -3, -2]), true);
  shapeIs<readonly ["batch", 20]>()(reshape(x, ["batch", 20]), true);
  shapeIs<readonly [number, 20]>()(reshape(x, [-1, 20]), true);
  shapeIs<readonly ["batch", 6]>()(expectShape(concat([any, any], 1), ["batch", 6]), true);
  shapeIs<readonly ["batch", 4, 5]>()(softmax(x), true);
  shapeIs<readonly ["batch", number, 5]>()(concat([x, x], 1), true);
  shapeIs<readonly [4, number]>()(slice(x, [0, null, { start: 1 }]), true);
  shapeIs<readonly ["batch", 4, number]>()(split(x, 5)[0]!, true);
  shapeIs<readonly ["batch", 8, number, number]>()(
    nn.conv(3, 8, [3, 3])(reshape(wide, ["batch", 3, 32, 32])),
    true,
  );
  shapeIs<readonly ["batch", 3, number]>()(maxPool(reshape(wide, ["batch", 3, 32]), 2), true);
  shapeIs<readonly ["batch", 2, 4, 8]>()(heads(wide), true);

  shapeIs<readonly ["batch", 4, 9]>()(linear(5, 9)(x), true);
  shapeIs<readonly ["batch", 4, 9]>()(relu(linear(5 as number, 9)(x)), true);
  shapeIs<readonly ["batch", 4, 5]>()(nn.layerNorm(5)(x), true);
  shapeIs<readonly ["batch", 7, 16]>()(nn.embedding(100, 16)(ids), true);
  shapeIs<readonly ["batch", 7, 16]>()(embedding(reshape(any, [100, 16]), ids), true);
  shapeIs<readonly []>()(crossEntropy(reshape(wide, ["batch", 7, 10]), ids), true);
  shapeIs<readonly []>()(mse(wide, x), true);
}

const heads = (wide: Tensor<Shape, "f32">) => {
  const q = reshape(wide, ["batch", 2, 4, 8]);
  return attention(q, q, q, { causal: true });
};

/** Code over any shape checks too, where both operands have the same one. */
function generic<S extends Shape>(x: Tensor<S, "f32">): void {
  const y = add(x, relu(x));
  mul(y as Tensor, 2);
}

function refused({ x, row, ids, flag, n }: Handles<typeof specs>, wide: Tensor<Shape, "f32">): void {
  // @ts-expect-error: 4 and 5 differ
  add(x, reshape(wide, [4]));
  // @ts-expect-error: 4 and 5 differ, behind an axis that is not known
  add(n, reshape(wide, [4]));
  // @ts-expect-error: names differ
  add(x, reshape(wide, ["other", 4, 5]));
  // @ts-expect-error: dtypes differ
  add(x, reshape(ids, [5]));
  // @ts-expect-error: the condition is no bool
  where(x, x, 0);
  // @ts-expect-error: the condition does not fit
  where(flag, reshape(wide, [4, 4]), 0);
  // @ts-expect-error: inner dimensions differ
  matmul(x, x);
  // @ts-expect-error: inner dimensions differ
  matmul(row, reshape(wide, [6]));
  // @ts-expect-error: leading axes differ
  matmul(x, reshape(wide, ["other", 5, 2]));
  // @ts-expect-error: the layer is for rows of 6
  linear(6, 2)(x);
  // @ts-expect-error: layers in the wrong order
  linear(5, 6)(linear(6, 2)(reshape(wide, [1, 6])));
  // @ts-expect-error: the layer is for rows of 6
  nn.layerNorm(6)(x);
  // @ts-expect-error: ids are integers
  nn.embedding(100, 16)(x);
  // @ts-expect-error: one label per row
  crossEntropy(reshape(wide, ["batch", 10]), ids);
  // @ts-expect-error: labels are i32
  crossEntropy(x, reshape(wide, ["batch", 4]));
  // @ts-expect-error: losses do not broadcast
  mse(x, row);
  // @ts-expect-error: another number of axes
  expectShape(x, ["batch", 20]);
  // @ts-expect-error: a tensor is no number
  x * 2;
  // @ts-expect-error: a dtype is one of five
  input(["batch"], "float32");
}

Deno.test("an optimizer wants a scalar loss", () => {
  const two = model({ x: input([2], "f32") }, ({ x }) => ({ loss: linear(2, 2)(x) }));
  const none = model({ x: input([2], "f32") }, ({ x }) => ({ y: linear(2, 2)(x) }));
  const unrun = (optimizer: Parameters<typeof trainStep>[1]) => {
    // @ts-expect-error: two losses
    trainStep(two, optimizer);
    // @ts-expect-error: no loss
    trainStep(none, optimizer);
  };
  const sizes: Dim[] = [...two.outputs.loss.shape];
  if (sizes.join() !== "2" || !unrun) throw new Error(`the shape at run time is [${sizes}]`);
});

Deno.test("types echo what the run time infers", () => {
  const net = model(specs, ({ x, row, ids }) => ({
    sum: add(x, row),
    product: matmul(x, transpose(x)),
    kept: mean(x, 1, { keepDims: true }),
    axes: permute(x, [2, 0, 1]),
    looked: nn.embedding(100, 16)(ids),
    projected: linear(5, 9)(x),
    column: expandDims(row, -1),
  }));
  const expected = {
    sum: "batch,4,5",
    product: "batch,4,4",
    kept: "batch,1,5",
    axes: "5,batch,4",
    looked: "batch,7,16",
    projected: "batch,4,9",
    column: "5,1",
  };
  for (const [name, shape] of Object.entries(expected)) {
    const found = net.outputs[name as keyof typeof expected].shape.join();
    if (found !== shape) throw new Error(`${name}: ${found} instead of ${shape}`);
  }
  if (!inferred || !generic || !refused) throw new Error("unused");
});
