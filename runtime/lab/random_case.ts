/**
 * Random graphs with numbers to run them on. Some come with their gradient, some with numbers that are rare and matter:
 * NaN and infinities, or few different ones, so that there are ties.
 * @module
 */

import { gradient } from "../../compiler/autodiff/gradient.ts";
import { WeftError } from "../../compiler/errors.ts";
import { type StoredArray, storedArray } from "../../compiler/graph/dtype.ts";
import { elementsOf } from "../../compiler/graph/dim.ts";
import { type Graph, inputName, makeGraph } from "../../compiler/graph/graph.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { randomOf } from "../../compiler/reference/random.ts";
import { sum } from "../../ops/mod.ts";
import type { Case } from "./case.ts";
import { opSteps } from "./op_steps.ts";
import { randomGraph, type Tape } from "./random_graph.ts";
import { type StepOf, steps } from "./random_steps.ts";

/** Steps written to break fusion, and one for every op: about as many of these as of those. */
export const vocabulary: readonly StepOf[] = [...steps, ...steps, ...steps, ...opSteps];

const specials = [NaN, Infinity, -Infinity];

/** The case of a tape: the same for the same tape and scale. */
export function randomCase(tape: Tape, scale = 1): Case {
  const drawn = randomGraph(tape, scale, vocabulary);
  const kind = tape.inputs.reduce((n, code) => n + code, 0) % 8;
  const graph = kind < 3 ? withGradient(drawn) : drawn;
  const random = randomOf(tape.steps.length);
  const number = () => {
    const x = 2 * random() - 1;
    if (kind === 7 && random() < 0.06) return specials[Math.floor(3 * random())]!;
    return kind === 6 ? Math.round(2 * x) / 2 : x;
  };
  const draw = ({ dtype, shape }: Tensor): StoredArray => {
    const array = storedArray(dtype, elementsOf(shape) as number);
    for (let i = 0; i < array.length; i++) array[i] = number();
    return array;
  };
  return {
    graph,
    feeds: Object.fromEntries(graph.inputs.map((t) => [inputName(t), draw(t)])),
    states: Object.fromEntries(graph.states.map(({ tensor, path }) => [path, draw(tensor)])),
  };
}

/** The graph with the gradient of its first output in each input, where there is one. */
function withGradient(graph: Graph): Graph {
  const { builder, inputs } = graph;
  return builder.use(() => {
    try {
      const slopes = gradient(sum(graph.outputs.y0!) as Tensor<readonly [], "f32">, inputs);
      const named = Object.fromEntries(slopes.map((t, i) => [`d${i}`, t]));
      return makeGraph({ ...graph, outputs: { ...graph.outputs, ...named } });
    } catch (error) {
      // An op on the way has none, and says so.
      if (error instanceof WeftError) return graph;
      throw error;
    }
  });
}
