/**
 * The self-test of a bundle: one run from the bundle's own state, and what it must give.
 *
 * What it must give is computed by the ops' references in f64, which know nothing of kernels, schedules or memory; how
 * far a device may be off follows from the graph's conditioning (SEMANTICS §10), element by element; the manifest states it
 * for a whole output (`tolerance_line.ts`). So it is a test of the compiler, the manifest, the weights and the device at
 * once. Inputs follow a rule: floats in (0, 1], integers and bools 0 or 1, which
 * are labels and tokens that every model has.
 * @module
 */

import { bindSizes } from "../graph/bind.ts";
import { elementsOf, type Sizes } from "../graph/dim.ts";
import { type HostArray, hostArray, isFloat, roundTo, type StoredArray } from "../graph/dtype.ts";
import { type Graph, inputName } from "../graph/graph.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { type Expected, expectedOf } from "../reference/tolerance.ts";
import type { ExpectedTensor, JsonNumber, SelfTest, Tolerance } from "./manifest.ts";
import { type Bound, lineAbove } from "./tolerance_line.ts";

/** Elements that are compared of an output, and of a state. */
const sampled = { output: 64, state: 16 };
/** Its multiples, less their whole parts, fall everywhere between 0 and 1. */
const goldenRatio = 0.6180339887498949;

export interface SelfTestOptions {
  readonly sizes: Sizes;
  /** The place of `sizes` among the bundle's. */
  readonly program: number;
  /** First contents of states by path; zeros for others. */
  readonly states: ReadonlyMap<string, StoredArray>;
  /** Hears how much of it is computed, 0 … 1. */
  readonly onProgress?: ((part: number) => void) | undefined;
}

/** By name; null where nothing can be said. */
export type Tolerances = Readonly<Record<string, Tolerance | null>>;

/** A self-test, and the tolerances that the manifest is to state. */
export interface MadeSelfTest {
  readonly test: SelfTest;
  readonly outputs: Tolerances;
  /** Of the states that the run changes. */
  readonly state: Tolerances;
}

export function makeSelfTest(
  traced: Graph,
  { sizes, program, states, onProgress }: SelfTestOptions,
): MadeSelfTest {
  const graph = bindSizes(traced, sizes);
  const known = new Map<Node, HostArray>();
  const inputs: Record<string, readonly number[]> = {};
  for (const input of graph.inputs) {
    const fed = inputValues(input, inputName(input));
    known.set(input.node, fed);
    inputs[inputName(input)] = [...fed];
  }
  for (const { path, tensor } of graph.states) {
    const contents = hostArray(tensor.dtype, elementsOf(tensor.shape) as number);
    const first = states.get(path);
    if (first) contents.set(first);
    known.set(tensor.node, contents);
  }
  const outputs = Object.entries(graph.outputs);
  const written = graph.states.flatMap(({ path, tensor }) => {
    const write = graph.writes.find((w) => w.state.node === tensor.node);
    return write ? [[path, write.value] as const] : [];
  });
  const expected = expectedOf([...outputs, ...written].map(([, tensor]) => tensor), known, { onProgress });
  const unchecked: Record<string, string> = {};
  const check = (
    list: readonly (readonly [string, Tensor])[],
    results: readonly Expected[],
    most: number,
  ) => {
    const tolerances: Record<string, Tolerance | null> = {};
    const samples = list.flatMap(([name], i): ExpectedTensor[] => {
      const result = results[i]!;
      const indices = certain(result);
      const isUnknown = indices.length === 0 && result.values.length > 0;
      tolerances[name] = isUnknown ? null : toleranceOf(result, indices);
      if (!isUnknown) return [sample(name, result, indices, most)];
      unchecked[name] = result.dropped ?? "rounding decides every element";
      return [];
    });
    return { samples, tolerances };
  };
  const ofOutputs = check(outputs, expected.slice(0, outputs.length), sampled.output);
  const ofState = check(written, expected.slice(outputs.length), sampled.state);
  return {
    test: { program, inputs, outputs: ofOutputs.samples, state: ofState.samples, unchecked },
    outputs: ofOutputs.tolerances,
    state: ofState.tolerances,
  };
}

/** The same numbers on every machine, different from element to element and from input to input. */
function inputValues({ shape, dtype }: Tensor, name: string): HostArray {
  const values = hostArray(dtype, elementsOf(shape) as number);
  let seed = 0x811c9dc5;
  for (const character of name) seed = Math.imul(seed ^ character.codePointAt(0)!, 0x01000193);
  for (let i = 0; i < values.length; i++) {
    let word = Math.imul(i + 1, 0x9e3779b1) ^ seed;
    word = Math.imul(word ^ (word >>> 15), 0x85ebca6b);
    word = (word ^ (word >>> 13)) >>> 0;
    values[i] = isFloat(dtype) ? roundTo(dtype, ((word >>> 8) + 1) * 2 ** -24) : word >>> 31;
  }
  return values;
}

/** The elements that rounding neither may send elsewhere nor leaves uncertain, in their order. */
function certain({ values, tolerance, others }: Expected): number[] {
  let largest = 0;
  for (const x of values) if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
  const most = Math.max(0.1 * largest, 1e-30);
  const agrees = (a: number, b: number, i: number) => Object.is(a, b) || Math.abs(a - b) <= tolerance[i]!;
  const found: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (tolerance[i]! <= most && others.every((other) => agrees(other[i]!, values[i]!, i))) found.push(i);
  }
  return found;
}

/** What covers the bounds of these elements. */
const toleranceOf = ({ dtype, values, tolerance }: Expected, indices: readonly number[]): Tolerance =>
  lineAbove(indices.flatMap((i): Bound[] => {
    const magnitude = Math.abs(roundTo(dtype, values[i]!));
    return Number.isFinite(magnitude) ? [[magnitude, tolerance[i]!]] : [];
  }));

/** Some of these elements, one from anywhere in each of as many parts: equal steps would stay in one column. */
function sample(
  name: string,
  { dtype, values }: Expected,
  all: readonly number[],
  most: number,
): ExpectedTensor {
  const count = Math.min(most, all.length);
  const indices = Array.from({ length: count }, (_, k) => {
    const within = k * goldenRatio % 1;
    return all[Math.floor((k + within) * all.length / count)]!;
  });
  return { name, indices, values: indices.map((i) => jsonNumber(roundTo(dtype, values[i]!))) };
}

function jsonNumber(x: number): JsonNumber {
  if (Number.isNaN(x)) return null;
  if (x === Infinity) return "inf";
  return x === -Infinity ? "-inf" : x;
}
