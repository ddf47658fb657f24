/** Evaluates small graphs on the host by the references of their ops, for tests of functions over ops. */

import { GraphBuilder } from "../../../compiler/graph/build.ts";
import { type DType, type HostArray, hostArray } from "../../../compiler/graph/dtype.ts";
import type { Tensor } from "../../../compiler/graph/node.ts";
import type { ConcreteType } from "../../../compiler/kernel/value.ts";
import { apply } from "../../../compiler/graph/build.ts";
import { inputOp } from "../../../ops/leaves.ts";
import type { Shape } from "../../../compiler/graph/dim.ts";

export type Feeds = Readonly<Record<string, readonly number[]>>;

/** An input of the current graph. */
export function feed<D extends DType = "f32">(
  name: string,
  shape: Shape,
  dtype: D = "f32" as D,
): Tensor<Shape, D> {
  return apply(inputOp, [], { name, shape, dtype }) as Tensor<Shape, D>;
}

/** Builds a graph and gives the elements of its results. */
export function evaluate(build: () => readonly Tensor[], feeds: Feeds = {}): number[][] {
  const known = new Map<string, HostArray>();
  const valueOf = (t: Tensor): HostArray => {
    const done = known.get(t.key);
    if (done) return done;
    const { op, attrs, inputs, types, id } = t.node;
    const fed = feeds[attrs.name ?? attrs.path];
    if (fed) {
      const array = hostArray(t.dtype, fed.length);
      array.set(fed);
      return array;
    }
    const results = op.reference(inputs.map(valueOf), attrs, {
      inputs: inputs.map((i) => ({ shape: i.shape, dtype: i.dtype }) as ConcreteType),
      outputs: types as readonly ConcreteType[],
    });
    results.forEach((r, i) => known.set(`${id}.${i}`, r));
    return known.get(t.key)!;
  };
  return new GraphBuilder().use(build).map((t) => [...valueOf(t)]);
}

/** 0, 1, 2, … */
export const counting = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Runs `f` where a graph is being built. */
export const graph = <T>(f: () => T): T => new GraphBuilder().use(f);
