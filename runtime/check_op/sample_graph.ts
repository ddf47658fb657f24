/**
 * A sample of an op as a graph of that one op, and its lowering evaluated without a schedule.
 * @module
 */

import { GraphBuilder } from "../../compiler/graph/build.ts";
import { elementsOf } from "../../compiler/graph/dim.ts";
import { type HostArray, hostArray, isFloat, roundTo } from "../../compiler/graph/dtype.ts";
import { type Node, Tensor } from "../../compiler/graph/node.ts";
import type { Op, Sample, SampleInput } from "../../compiler/graph/op.ts";
import { isProgram } from "../../compiler/graph/op.ts";
import {
  type ConcreteType,
  type Reader,
  type Value,
  valueType,
  type Var,
} from "../../compiler/kernel/value.ts";
import { Values } from "../../compiler/kernel/values.ts";
import { inputOp } from "../../ops/leaves.ts";
import { linearize } from "../../ops/views/reshape.ts";
import { concreteTypes } from "../../compiler/reference/evaluate.ts";
import { type Random, randomOf } from "../../compiler/reference/random.ts";
import { ValueEvaluator } from "./value_evaluator.ts";

export interface SampleGraph {
  readonly builder: GraphBuilder;
  readonly node: Node;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly feeds: Map<Node, HostArray>;
}

/** Contents of a sample's input, representable in its type. */
export function draw(input: SampleInput, random: Random): HostArray {
  const dtype = input.dtype ?? "f32";
  const out = hostArray(dtype, elementsOf(input.shape) as number);
  const integral = !isFloat(dtype);
  const lo = input.lo ?? (integral ? 0 : -1);
  const hi = input.hi ?? (integral ? 10 : 1);
  for (let i = 0; i < out.length; i++) {
    const x = lo + random() * (hi - lo);
    const drawn = dtype === "bool" ? Number(random() < 0.5) : integral ? Math.floor(x) : x;
    out[i] = roundTo(dtype, input.values ? input.values[i]! : drawn);
  }
  return out;
}

/** The op applied to inputs with a sample's contents. */
export function graphOf<Attrs>(op: Op<Attrs>, sample: Sample<Attrs>, seed = 7): SampleGraph {
  const builder = new GraphBuilder();
  const random = randomOf(seed);
  const feeds = new Map<Node, HostArray>();
  const inputs = sample.inputs.map((input, i) => {
    const attrs = { name: `x${i}`, shape: input.shape, dtype: input.dtype ?? "f32" };
    const node = builder.node(inputOp, [], attrs);
    feeds.set(node, draw(input, random));
    return new Tensor(node, 0);
  });
  const node = builder.node(op, inputs, sample.attrs);
  return { builder, node, inputs, outputs: node.types.map((_, i) => new Tensor(node, i)), feeds };
}

/** Results of a node's lowering, evaluated as values over its inputs, each in its stored type. */
export function evaluateLowering({ node, inputs, feeds }: SampleGraph, fused = false): HostArray[] {
  const types = concreteTypes(node);
  const { lower } = node.op;
  if (isProgram(lower)) throw new Error(`${node.op.name} lowers to kernels of its own, not to a value`);
  const buffers = new Map<string, ArrayLike<number>>(inputs.map((t, i) => [`x${i}`, feeds.get(t.node)!]));
  for (const data of Object.values(node.attrs)) {
    if (isConstantData(data)) buffers.set(`const:${data.hash}`, data.values);
  }
  return types.outputs.map((type, result) => {
    const k = new Values();
    const readers = types.inputs.map((input, i) => readerOf(k, `x${i}`, input));
    const at = k.axes(type.shape);
    const stream = k.const(Number(node.attrs.stream ?? 0), "u32");
    const value = lower(k, readers, at, { attrs: node.attrs, ...types, result, stream });
    if (value.type !== valueType(type.dtype)) {
      throw new Error(`${node.op.name}: result ${result} is ${type.dtype} and its value is ${value.type}`);
    }
    const count = type.shape.reduce((n, d) => n * d, 1);
    const evaluator = new ValueEvaluator(count, positions(at, type.shape, count), buffers, fused);
    const out = hostArray(type.dtype, count);
    if (count > 0) evaluator.of(value).forEach((x, i) => out[i] = roundTo(type.dtype, x));
    return out;
  });
}

function readerOf(k: Values, name: string, type: ConcreteType): Reader {
  const size = type.shape.reduce((n, d) => n * d, 1);
  return {
    ...type,
    at: (index) => k.load({ name, dtype: type.dtype, size }, linearize(k, index, type.shape)),
  };
}

/** The index of every output position, per axis variable. */
function positions(at: readonly Value[], shape: readonly number[], count: number): Map<Var, Int32Array> {
  const bindings = new Map<Var, Int32Array>();
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const v = at[axis]!;
    const [size, step] = [shape[axis]!, stride];
    if (v.kind === "var") {
      bindings.set(
        v,
        Int32Array.from({ length: count }, (_, i) => Math.floor(i / step) % size),
      );
    }
    stride *= size;
  }
  return bindings;
}

const isConstantData = (x: unknown): x is { hash: string; values: ArrayLike<number> } =>
  typeof x === "object" && x !== null && "hash" in x && "values" in x;
