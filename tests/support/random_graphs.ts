/**
 * Random graphs of matrices with odd sizes: shared sub-expressions, views, broadcasts, reductions, products, selections,
 * several outputs, and states that are updated, swapped, and read as they were.
 * @module
 */

import { GraphBuilder } from "../../compiler/graph/build.ts";
import { type Graph, makeGraph, type StateWrite } from "../../compiler/graph/graph.ts";
import { Tensor } from "../../compiler/graph/node.ts";
import {
  add,
  broadcastTo,
  concat,
  greater,
  inputOp,
  matmul,
  max,
  mul,
  reshape,
  stateOp,
  sub,
  sum,
  tanh,
  transpose,
  where,
} from "../../ops/mod.ts";
import type { Random } from "./random.ts";

/** Untyped forms: shapes are drawn here, and held to their rules when the graph is made. */
type Binary = (a: Tensor, b: Tensor) => Tensor;
const product = matmul as unknown as Binary;
const reduced = (x: Tensor, axis: number, by: "sum" | "max"): Tensor =>
  (by === "sum" ? sum : max)(x, axis, { keepDims: true }) as Tensor;

/** A graph of inputs x0, x1 and states s0, s1, all f32 matrices. */
export function randomGraph(random: Random): Graph {
  const below = (n: number) => Math.floor(random() * n);
  const sizes = [1, 2, 3, 5, 7, 8, 13];
  const pick = <T>(items: readonly T[]): T => items[below(items.length)]!;
  const [m, n] = [pick(sizes), pick(sizes)];
  const builder = new GraphBuilder();
  return builder.use(() => {
    const inputs = [[m, n], [n, m]].map((shape, i) =>
      new Tensor(builder.node(inputOp, [], { name: `x${i}`, shape, dtype: "f32" }), 0)
    );
    const states = ["s0", "s1"].map((path) =>
      new Tensor(builder.node(stateOp, [], { path, shape: [m, n], dtype: "f32", role: "state" }), 0)
    );
    const pool: Tensor[] = [...inputs, ...states];
    const like = (x: Tensor): Tensor => {
      const fits = pool.filter((t) => t.shape.join() === x.shape.join());
      return pick(fits);
    };
    for (let step = 3 + below(10); step > 0; step--) {
      const x = pick(pool);
      const [rows, columns] = x.shape as readonly [number, number];
      const makers: (() => Tensor)[] = [
        () => (add as Binary)(x, like(x)),
        () => (mul as Binary)(x, like(x)),
        () => (sub as Binary)(x, like(x)),
        () => tanh(x) as Tensor,
        () => transpose(x) as Tensor,
        () => (sub as Binary)(x, reduced(x, below(2), "max")),
        () => broadcastTo(reduced(x, below(2), "sum"), [rows, columns]) as Tensor,
        () => where(greater(x, 0) as Tensor<readonly number[], "bool">, x, like(x)) as Tensor,
        () => tanh(product(x, transpose(like(x)) as Tensor)) as Tensor,
        () => reshape(x, [columns, rows]) as Tensor,
        () => reduced(concat([x, like(x)], 0) as Tensor, 0, "sum"),
      ];
      pool.push(pick(makers)());
    }
    const valueOf = (i: number): Tensor =>
      random() < 0.3 ? states[1 - i]! : pick(pool.filter((t) => t.shape.join() === [m, n].join()));
    const writes: StateWrite[] = states.map((state, i) => ({ state, value: valueOf(i), origin: undefined }));
    const outputs = { y0: pool.at(-1)!, y1: pick(pool), y2: pick(pool) };
    return makeGraph({
      builder,
      inputs,
      outputs,
      writes,
      states: states.map((tensor, i) => ({
        tensor,
        path: `s${i}`,
        role: "state",
        initializer: ({ shape }) => new Float32Array(shape.reduce((a, b) => a * b, 1)),
        origin: undefined,
      })),
    });
  });
}
