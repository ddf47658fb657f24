/**
 * A step for every op that there is: the op on one of its own samples, whose inputs are bent out of a random graph's
 * tensors. So an op that is new takes part in random graphs as soon as it has samples.
 * @module
 */

import { GraphBuilder } from "../../compiler/graph/build.ts";
import { isFloat } from "../../compiler/graph/dtype.ts";
import { Tensor } from "../../compiler/graph/node.ts";
import type { Op, Sample, SampleInput } from "../../compiler/graph/op.ts";
import { opTable } from "../../ops/define_op.ts";
import * as ops from "../../ops/mod.ts";
import { type Choice, count, shapeOf, type StepOf } from "./random_steps.ts";

// deno-lint-ignore no-explicit-any -- shapes and dtypes are drawn here; `infer` checks them.
const o = ops as any;

/** Results of more elements than this are not kept. */
const MOST = 400;

/** Ops and samples that a graph can be made of: no special values, and some elements. */
// deno-lint-ignore no-explicit-any -- the table holds ops of every attribute type.
function usable(op: Op<any>): readonly Sample<unknown>[] {
  return op.samples.filter(({ inputs, attrs, note }) => {
    if (note === "special values" || inputs.some(({ shape }) => shape.includes(0))) return false;
    const types = op.infer(inputs.map(({ shape, dtype = "f32" }) => ({ shape, dtype })), attrs);
    return types.every(({ shape }) => {
      const n = shape.reduce<number>((product, d) => product * (d as number), 1);
      return n > 0 && n <= MOST;
    });
  });
}

/** One step per op that has a sample to offer. */
export const opSteps: readonly StepOf[] = [...opTable.values()].flatMap((op): StepOf[] => {
  const samples = usable(op);
  if (samples.length === 0) return [];
  return [(x, y, c) => {
    const { inputs, attrs } = samples[c % samples.length]!;
    const operands = inputs.map((input, i) => bent(i % 2 === 0 ? x : y, input, c + i));
    const node = GraphBuilder.current(op.name).node(op, operands, attrs);
    const result = new Tensor(node, (c >> 3) % node.types.length);
    return tame(result, c);
  }];
});

/** The result as a tensor of f32, often of the order of 1: what comes after it is to be comparable. */
function tame(t: Tensor, c: Choice): Tensor {
  const y = t.dtype === "f32" ? t : o.cast(t, "f32");
  return c % 3 === 0 && t.dtype === "f32" ? y : o.div(y, o.add(o.abs(y), 1));
}

/** x in the shape, the type and the range that a sample has for an input. */
function bent(x: Tensor, { shape, dtype = "f32", lo, hi, values }: SampleInput, c: Choice): Tensor {
  if (values) return o.constant(values, shape, dtype);
  const want = count(shape);
  if (!isFloat(dtype)) {
    // Of no float: a floor that rounding decides would be another graph on another device.
    const [from, to] = dtype === "bool" ? [0, 2] : [lo ?? 0, hi ?? 10];
    const spread = o.floorMod(o.mul(o.iota([want]), 2 * c + 3), to - from);
    const drawn = o.reshape(o.add(spread, from), shape);
    return dtype === "i32" ? drawn : o.cast(drawn, dtype);
  }
  const have = count(shapeOf(x));
  const flat = o.reshape(x, [have]);
  const fitting = have === want
    ? flat
    : have > want
    ? o.sliceAxis(flat, 0, { start: c % (have - want + 1), stop: c % (have - want + 1) + want })
    : o.gather(flat, o.floorMod(o.iota([want]), have), 0);
  const y = o.reshape(fitting, shape);
  const ranged = lo === undefined && hi === undefined ? y : within(y, lo ?? -1, hi ?? 1);
  return dtype === "f32" ? ranged : o.cast(ranged, dtype);
}

/** Between two bounds, whatever x is. */
const within = (x: Tensor, lo: number, hi: number): Tensor => o.add(o.mul(o.sigmoid(x), hi - lo), lo);
