/**
 * Random graphs with numbers to run them on.
 * @module
 */

import { type StoredArray, storedArray } from "../../compiler/graph/dtype.ts";
import { elementsOf } from "../../compiler/graph/dim.ts";
import { inputName } from "../../compiler/graph/graph.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { randomOf } from "../../compiler/reference/random.ts";
import type { Case } from "./case.ts";
import { opSteps } from "./op_steps.ts";
import { randomGraph, type Tape } from "./random_graph.ts";
import { type StepOf, steps } from "./random_steps.ts";

/** Steps written to break fusion, and one for every op: about as many of these as of those. */
export const vocabulary: readonly StepOf[] = [...steps, ...steps, ...steps, ...opSteps];

/** The case of a tape: the same for the same tape and scale. */
export function randomCase(tape: Tape, scale = 1): Case {
  const graph = randomGraph(tape, scale, vocabulary);
  const random = randomOf(tape.steps.length);
  const draw = ({ dtype, shape }: Tensor): StoredArray => {
    const array = storedArray(dtype, elementsOf(shape) as number);
    for (let i = 0; i < array.length; i++) array[i] = 2 * random() - 1;
    return array;
  };
  return {
    graph,
    feeds: Object.fromEntries(graph.inputs.map((t) => [inputName(t), draw(t)])),
    states: Object.fromEntries(graph.states.map(({ tensor, path }) => [path, draw(tensor)])),
  };
}
