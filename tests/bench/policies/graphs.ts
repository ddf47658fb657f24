/**
 * Small random graphs that have something to decide: the ones that policies are compared on.
 * @module
 */

import fc from "fast-check";
import { compileGraph } from "../../../compiler/compile.ts";
import { Candidates } from "../../../compiler/fuse/candidates.ts";
import { mostAtoms } from "../../../compiler/fuse/policies/exhaustive.ts";
import { type CostModel, costModelOf, elements } from "../../../compiler/fuse/worthwhile.ts";
import { type Graph, makeGraph } from "../../../compiler/graph/graph.ts";
import type { Tensor } from "../../../compiler/graph/node.ts";
import { rewriteGraph } from "../../../compiler/graph/rewrite.ts";
import type { Target } from "../../../compiler/target.ts";
import { apply } from "../../../compiler/graph/build.ts";
import { inputOp, stateOp } from "../../../ops/mod.ts";
import { randomGraph, tapes } from "../../support/random_graphs.ts";

/** Elements of the largest tensor: a hundred graphs are to take minutes and not hours. */
const mostElements = 1 << 22;

export interface Drawn {
  /** As drawn, with its inputs on the device: feeding them would take longer than the kernels. */
  readonly graph: Graph;
  /** What policies are asked: the same after the compiler's passes. */
  readonly candidates: Candidates;
}

/**
 * @param scale Times as large as tests have them: sizes from 3 to 16 become 96 to 512 with 32.
 */
export function* drawGraphs(
  { count, seed, scale, target }: {
    readonly count: number;
    readonly seed: number;
    readonly scale: number;
    readonly target: Target;
  },
): Iterable<Drawn> {
  const cost: CostModel = costModelOf(target);
  let left = count;
  for (const tape of fc.sample(tapes(9), { numRuns: 12 * count, seed })) {
    if (left === 0) return;
    const graph = resident(randomGraph(tape, scale));
    if (graph.nodes.some((node) => elements(node) > mostElements)) continue;
    const compiled = compileGraph(graph, { target });
    const candidates = new Candidates(compiled.graph, { limits: target.limits, cost });
    const { length } = candidates.atoms;
    if (length < 4 || length > mostAtoms) continue;
    left--;
    yield { graph, candidates };
  }
  if (left > 0) throw new Error(`only ${count - left} of ${count} graphs were found`);
}

/** The same graph with its inputs as states. */
export function resident(graph: Graph): Graph {
  const own = rewriteGraph(graph, ({ op, attrs }) => {
    if (op !== inputOp) return undefined;
    return [
      apply(stateOp, [], {
        path: `input/${attrs.name}`,
        shape: attrs.shape,
        dtype: attrs.dtype,
        role: "state" as const,
      }),
    ];
  });
  const states = own.inputs.map((tensor: Tensor) => ({
    tensor,
    path: tensor.node.attrs.path as string,
    role: "state" as const,
    initializer: () => new Float32Array(0),
    origin: undefined,
  }));
  return makeGraph({ ...own, inputs: [], states: [...states, ...own.states] });
}
