/**
 * Random graphs: shared sub-expressions, views, broadcasts, reductions, products, selections, indexing, programs, several
 * outputs, and states that are updated, swapped, and read as they were.
 *
 * A graph is read off a *tape*, which fast-check makes and shrinks (tapes.ts): whatever its numbers are, the graph is valid,
 * and a shorter tape is a smaller graph.
 * @module
 */

import { GraphBuilder } from "../../compiler/graph/build.ts";
import { type Graph, makeGraph, type StateWrite } from "../../compiler/graph/graph.ts";
import { Tensor } from "../../compiler/graph/node.ts";
import { inputOp, stateOp } from "../../ops/mod.ts";
import { type Choice, shaped, shapeOf, type StepOf, steps } from "./random_steps.ts";

/** Which step, on which of the tensors so far, and a choice for the step. */
export type Step = readonly [step: number, x: number, y: number, choice: Choice];

export interface Tape {
  /** Sizes that occur in shapes: indices of `sizes`. */
  readonly dims: readonly number[];
  /** Shapes of inputs, as digits in base 4: 1 to 3 stand for one of `dims`, 0 for an axis of size 1. */
  readonly inputs: readonly number[];
  readonly steps: readonly Step[];
  /** What each state becomes, and whether that is another state's old value. */
  readonly writes: readonly (readonly [value: number, swap: boolean])[];
  readonly outputs: readonly number[];
}

/** Sizes that axes may have: those that are drawn, and two that are asked for, longer than a few vectors and no whole ones. */
export const sizes = [3, 1, 2, 4, 5, 7, 8, 13, 16, 17, 42];
/** How many of them are drawn. */
export const drawnSizes = 9;
const ranks = [2, 1, 3, 0, 2];

/**
 * The graph of a tape: inputs x0 …, states s0 …, all f32; outputs y0 …, the last tensor made among them.
 *
 * @param scale Times as large as for tests: what is measured takes more than a dispatch.
 * @param vocabulary What its steps choose from.
 */
export function randomGraph(
  { dims, inputs: shapes, steps: list, writes: values, outputs }: Tape,
  scale = 1,
  vocabulary: readonly StepOf[] = steps,
): Graph {
  const size = (digit: number) => digit === 0 ? 1 : scale * sizes[dims[digit - 1]!]!;
  const shapeBy = (code: number): number[] =>
    Array.from({ length: ranks[code % ranks.length]! }, (_, axis) => size((code >> (2 * axis)) & 3));
  const builder = new GraphBuilder();
  return builder.use(() => {
    const inputs = shapes.map((code, i) =>
      new Tensor(builder.node(inputOp, [], { name: `x${i}`, shape: shapeBy(code), dtype: "f32" }), 0)
    );
    // All of one shape, so that they can be swapped.
    const states = values.map((_, i) => {
      const shape = [size(1), size(2)];
      return new Tensor(builder.node(stateOp, [], { path: `s${i}`, shape, dtype: "f32", role: "state" }), 0);
    });
    const pool: Tensor[] = [...inputs, ...states];
    /** Young ones more often, so that graphs are deep. */
    const pick = (n: number): Tensor =>
      pool[n % 3 === 0 ? n % pool.length : pool.length - 1 - n % Math.min(4, pool.length)]!;
    for (const [step, x, y, choice] of list) {
      pool.push(vocabulary[step % vocabulary.length]!(pick(x), pick(y), choice));
    }
    const writes: StateWrite[] = states.map((state, i) => {
      const [value, swap] = values[i]!;
      const made = swap ? states[(i + 1) % states.length]! : shaped(pick(value), shapeOf(state));
      return { state, value: made, origin: undefined };
    });
    const wanted = [pool.at(-1)!, ...outputs.map(pick)];
    return makeGraph({
      builder,
      inputs,
      outputs: Object.fromEntries(wanted.map((t, i) => [`y${i}`, t])),
      writes,
      states: states.map((tensor, i) => ({
        tensor,
        path: `s${i}`,
        role: "state",
        initializer: ({ shape }) => new Float32Array(shape.reduce((n, d) => n * d, 1)),
        origin: undefined,
      })),
    });
  });
}
