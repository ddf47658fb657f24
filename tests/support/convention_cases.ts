/**
 * Conventions as graphs, one by one or all in one, and what their results are compared with.
 * @module
 */

import { GraphBuilder } from "../../compiler/graph/build.ts";
import { type HostArray, hostArray, roundTo } from "../../compiler/graph/dtype.ts";
import { type Graph, inputName, makeGraph } from "../../compiler/graph/graph.ts";
import { type Node, Tensor } from "../../compiler/graph/node.ts";
import { inputOp } from "../../ops/leaves.ts";
import { type Convention, conventions } from "./conventions.ts";
import { evaluateGraph } from "./evaluate.ts";

/** A convention as a graph with named outputs, its feeds, and what the references give. */
export interface ConventionCase {
  readonly convention: Convention;
  readonly graph: Graph;
  readonly feeds: Readonly<Record<string, ArrayLike<number>>>;
  readonly reference: readonly ArrayLike<number>[];
}

export function conventionCase(convention: Convention): ConventionCase {
  const [built] = joinedCases([convention]);
  return built!;
}

/** Conventions in one graph, whose outputs are `y<convention>_<result>`: few pipelines for many questions. */
export function joinedConventions(): { readonly graph: Graph; readonly cases: readonly ConventionCase[] } {
  const cases = joinedCases(conventions);
  return { graph: cases[0]!.graph, cases };
}

function joinedCases(list: readonly Convention[]): ConventionCase[] {
  const builder = new GraphBuilder();
  const contents = new Map<Node, HostArray>();
  const outputs: Record<string, Tensor> = {};
  const results = list.map(({ inputs, make }, at) => {
    const fed = inputs.map(({ dtype = "f32", values, shape = [values.length] }, k) => {
      const node = builder.node(inputOp, [], { name: `x${at}_${k}`, shape, dtype });
      const array = hostArray(dtype, values.length);
      values.forEach((x, j) => array[j] = roundTo(dtype, x));
      contents.set(node, array);
      return new Tensor(node, 0);
    });
    const made = builder.use(() => make(...fed));
    made.forEach((y, k) => outputs[outputName(at, k)] = y);
    return made;
  });
  const leaves = [...contents.keys()].map((node) => new Tensor(node, 0));
  const graph = makeGraph({ builder, inputs: leaves, outputs, states: [], writes: [] });
  const feeds = Object.fromEntries(leaves.map((x) => [inputName(x), contents.get(x.node)!]));
  return list.map((convention, at) => ({
    convention,
    graph,
    feeds,
    reference: evaluateGraph(results[at]!, contents).map((result, k) =>
      result.map((x) => roundTo(results[at]![k]!.dtype, x))
    ),
  }));
}

export const outputName = (convention: number, result: number): string => `y${convention}_${result}`;

/** Where results are not what the convention says, as a sentence; undefined where they are. */
export function broken({ says, want }: Convention, got: readonly ArrayLike<number>[]): string | undefined {
  for (const [k, expected] of want.entries()) {
    const result = Array.from(got[k]!);
    // Special values are exact; others are those of functions with an error of their own.
    const fits = (x: number, y: number) => Object.is(x + 0, y + 0) || Math.abs(x - y) <= 1e-5 * Math.abs(y);
    if (result.length === expected.length && expected.every((y, j) => fits(result[j]!, y))) continue;
    return `"${says}": result ${k} is [${result.join(", ")}] and should be [${expected.join(", ")}]`;
  }
  return got.length === want.length
    ? undefined
    : `"${says}": ${got.length} results, ${want.length} are stated`;
}
