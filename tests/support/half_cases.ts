/**
 * f16 wherever a graph can have it (SEMANTICS §3 and §6): samples of ops with f16 in the place of f32, and one graph in
 * which halves are read and written by every schedule at odd offsets.
 * @module
 */

import { GraphBuilder } from "../../compiler/graph/build.ts";
import type { DType, HostArray } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { type Node, Tensor } from "../../compiler/graph/node.ts";
import type { Op, Sample, SampleInput } from "../../compiler/graph/op.ts";
import {
  abs,
  adam,
  add,
  cast,
  concat,
  crossEntropy,
  cumsum,
  div,
  exp,
  flip,
  floor,
  gather,
  init,
  input,
  layerNorm,
  less,
  matmul,
  max,
  maximum,
  type Model,
  model,
  mul,
  neg,
  pad,
  parameter,
  reciprocal,
  relu,
  roll,
  scatterAdd,
  slice,
  softmax,
  sort,
  sub,
  sum,
  trainStep,
  transpose,
  where,
} from "../../mod.ts";
import { inputOp } from "../../ops/leaves.ts";
import { caseOf, type SampleCase, tableOps } from "./compile_samples.ts";
import { draw, graphOf } from "../../runtime/check_op/sample_graph.ts";
import { randomOf } from "./random.ts";

/** Ops whose operands may not be f16, and what they say: patterns have 32 bits, and optimizers compute in f32. */
export const withoutHalves: ReadonlyMap<string, RegExp> = new Map([
  ["bitcast", /bitcast: from f16 to .*; only f32, i32 and u32/],
  ["sumOfSquares", /sumOfSquares: takes f32, not f16.*use cast/],
]);

const isSingle = ({ dtype = "f32" }: SampleInput): boolean => dtype === "f32";

/** Samples of every op that takes f32, with f16 instead. */
export const halfSampleCases = (): SampleCase[] =>
  tableOps().filter((op) => !withoutHalves.has(op.name)).flatMap((op) =>
    op.samples.filter(({ inputs }) => inputs.some(isSingle)).map((sample) => halfSampleCase(op, sample))
  );

function halfSampleCase<Attrs>(op: Op<Attrs>, sample: Sample<Attrs>): SampleCase {
  const inputs = sample.inputs.map((input) => isSingle(input) ? { ...input, dtype: "f16" as const } : input);
  const half = { ...sample, inputs };
  return caseOf(op.name, `${op.name} of f16, ${JSON.stringify(half)}`, graphOf(op, half));
}

/** Halves in rows of odd length, cut, joined, moved, summed, multiplied and mixed with f32. */
export function oddHalves(): SampleCase {
  const builder = new GraphBuilder();
  const feeds = new Map<Node, HostArray>();
  const random = randomOf(5);
  const feed = <D extends DType>(
    name: string,
    shape: readonly number[],
    dtype: D,
    lo: number,
    hi: number,
  ) => {
    const node = builder.node(inputOp, [], { name, shape, dtype });
    feeds.set(node, draw({ shape, dtype, lo, hi }, random));
    return new Tensor(node, 0) as Tensor as Tensor<Shape, D>;
  };
  const a = feed("x0", [3, 5], "f16", -2, 2);
  const b = feed("x1", [5, 7], "f16", -1, 1);
  const row = feed("x2", [5], "f32", 0.5, 1.5);
  const rows = feed("x3", [3], "i32", 0, 3);
  const outputs = builder.use((): Tensor[] => {
    const narrow = slice(a, [{ start: 1 }, { start: 1, step: 2 }]);
    return [
      mul(add(a, 1), a),
      concat([narrow, flip(narrow), slice(a, [{ stop: 2 }, { stop: 2 }])], 1),
      concat([exp(slice(a, [0])), slice(a, [1]), maximum(slice(a, [2]), 0)], 0),
      pad(roll(a, 2, 1), [[1, 0], [0, 2]], { value: 0.5 }),
      transpose(a),
      matmul(a, b),
      sum(a),
      max(a, 0),
      softmax(matmul(a, b)),
      layerNorm(a),
      cumsum(b, 1),
      sort(b, { axis: 0 }),
      gather(b, rows),
      scatterAdd(a, rows, { size: 3 }),
      cast(mul(cast(a, "f32"), row), "f16"),
      // Read by two that cannot be one kernel: an intermediate of halves is stored.
      matmul(softmax(a), matmul(b, transpose(b))),
    ] as Tensor[];
  });
  return caseOf("f16", "odd halves", {
    builder,
    node: outputs[0]!.node,
    inputs: [a, b, row, rows],
    outputs,
    feeds,
  });
}

/** Chains of every kind of operation that has a form in f16, with what has none between them, and a sum. */
export function chainOfHalves(): SampleCase {
  const builder = new GraphBuilder();
  const random = randomOf(6);
  const feed = (name: string, lo: number, hi: number) => {
    const shape = [16, 256];
    const node = builder.node(inputOp, [], { name, shape, dtype: "f16" });
    return { node, array: draw({ shape, dtype: "f16", lo, hi }, random) };
  };
  const [x, y] = [feed("x0", -3, 3), feed("x1", 0.5, 2)];
  const outputs = builder.use((): Tensor[] => {
    const [a, b] = [x, y].map(({ node }) =>
      new Tensor(node, 0) as Tensor as Tensor<readonly [16, 256], "f16">
    );
    const chain = add(mul(sub(a!, b!), 0.1), maximum(abs(a!), floor(mul(b!, 3))));
    const curved = mul(where(less(a!, 0), neg(a!), div(a!, b!)), exp(b!));
    return [chain, mul(curved, chain), sum(mul(b!, reciprocal(b!)))] as Tensor[];
  });
  const feeds = new Map([[x.node, x.array], [y.node, y.array]]);
  return caseOf("f16", "a chain of halves", { builder, node: outputs[0]!.node, inputs: [], outputs, feeds });
}

const halfInputs = { x: input(["batch", 5], "f16"), y: input(["batch"], "i32") };

/** A training step whose weights and input are halves, and whose loss and moments are f32. */
export const trainedHalves = (): Model<typeof halfInputs, { readonly loss: Tensor<readonly [], "f32"> }> => {
  const net = model(halfInputs, ({ x, y }) => {
    const w = parameter("w", [5, 7], init.normal(0.5), "f16");
    const b = parameter("b", [7], init.zeros(), "f16");
    const v = parameter("v", [7, 3], init.normal(0.5));
    return { loss: crossEntropy(matmul(cast(relu(add(matmul(x, w), b)), "f32"), v), y) };
  });
  return trainStep(net, adam({ rate: 0.05 }));
};

export const halvesToTrainOn = {
  x: Float32Array.from({ length: 15 }, (_, k) => Math.f16round(Math.sin(k))),
  y: Int32Array.from([0, 1, 2]),
};
