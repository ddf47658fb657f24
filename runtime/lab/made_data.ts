/**
 * What a model is run on where its user gives nothing: inputs that fit its kernels, and the states it begins with.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { RunError } from "../../compiler/errors.ts";
import { elementsOf, showShape } from "../../compiler/graph/dim.ts";
import { roundTo, type StoredArray } from "../../compiler/graph/dtype.ts";
import { inputName } from "../../compiler/graph/graph.ts";
import { showType } from "../../compiler/graph/node.ts";
import { contentsFor } from "../tune/inputs.ts";
import type { RunData } from "../verify.ts";

/** What is given of it. */
export interface GivenData extends Partial<RunData> {
  /** Of the numbers that are made, and of the initializers. Default 0. */
  readonly seed?: number;
}

/**
 * Contents for every input and state: those given, else drawn numbers (integers within the bounds that the kernels
 * themselves compare them with) and what the initializers say.
 *
 * @throws RunError where something given is no input or state of the model, or of another length.
 */
export function dataFor(compiled: Compiled, { feeds = {}, states = {}, seed = 0 }: GivenData = {}): RunData {
  const { graph, placement, kernels } = compiled;
  const refs = graph.inputs.map((t) => placement.storage(t).buffer);
  const drawn = contentsFor(refs, kernels, "signed", seed);
  const inputs = new Map(
    graph.inputs.map((
      t,
      i,
    ) => [inputName(t), {
      type: t,
      made: () => drawn.get(refs[i]!.name)!.slice(0, elementsOf(t.shape) as number),
    }]),
  );
  const initial = new Map(graph.states.map((s) => {
    const site = { shape: s.tensor.shape as readonly number[], dtype: s.tensor.dtype, seed, path: s.path };
    return [s.path, { type: s.tensor, made: () => s.initializer(site) }];
  }));
  return { feeds: completed("input", inputs, feeds), states: completed("state", initial, states) };
}

/** What a device has of an array: halves, where the tensor is of halves. References are to begin with the same. */
const onDevice = ({ dtype }: Compiled["graph"]["inputs"][number], array: StoredArray): StoredArray =>
  dtype === "f16" ? (array as Float32Array).map((x) => roundTo(dtype, x)) : array;

type Known = ReadonlyMap<string, {
  readonly type: Compiled["graph"]["inputs"][number];
  made(): RunData["feeds"][string];
}>;

function completed(what: string, known: Known, given: RunData["feeds"]): RunData["feeds"] {
  for (const [name, array] of Object.entries(given)) {
    const type = known.get(name)?.type;
    if (type === undefined) {
      const there = [...known.keys()].map((key) => `"${key}"`).join(", ") || "none";
      throw new RunError(`The model has no ${what} "${name}"; it has ${there}.`);
    }
    if (array.length === elementsOf(type.shape)) continue;
    throw new RunError(
      `The ${what} "${name}" is ${showType(type)}, which has ${
        elementsOf(type.shape)
      } elements, and was given ` +
        `${array.length}. ${showShape(type.shape)} is its shape with the sizes as they are bound.`,
    );
  }
  return Object.fromEntries([...known].map(([name, { type, made }]) => [
    name,
    onDevice(type, given[name] ?? made()),
  ]));
}
