/** Small graphs, built and evaluated on the spot, for tests of functions over ops. */

import { apply, GraphBuilder } from "../../../compiler/graph/build.ts";
import { type DType, hostArray } from "../../../compiler/graph/dtype.ts";
import type { Shape } from "../../../compiler/graph/dim.ts";
import type { Tensor } from "../../../compiler/graph/node.ts";
import { inputOp } from "../../../ops/leaves.ts";
import { evaluateGraph, nodesBelow } from "../../support/evaluate.ts";

/** Contents of inputs by name, and of states by path. */
export type Contents = Readonly<Record<string, readonly number[]>>;

/** An input of the current graph. */
export function feed<D extends DType = "f32">(
  name: string,
  shape: Shape,
  dtype: D = "f32" as D,
): Tensor<Shape, D> {
  return apply(inputOp, [], { name, shape, dtype }) as Tensor<Shape, D>;
}

/** Builds a graph and gives the elements of its results. */
export function evaluate(build: () => readonly Tensor[], contents: Contents = {}): number[][] {
  const outputs = graph(build);
  const leaves = nodesBelow(outputs).filter((node) => node.op.name === "input" || node.op.name === "state");
  const feeds = new Map(leaves.map((node) => {
    const numbers = contents[node.attrs.name ?? node.attrs.path]!;
    const array = hostArray(node.types[0]!.dtype, numbers.length);
    array.set(numbers);
    return [node, array] as const;
  }));
  return evaluateGraph(outputs, feeds).map((result) => [...result]);
}

/** 0, 1, 2, … */
export const counting = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Runs `f` where a graph is being built. */
export const graph = <T>(f: () => T): T => new GraphBuilder().use(f);
