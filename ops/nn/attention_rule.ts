/**
 * Finds attention written in plain ops, softmax(q·kᵀ·scale + mask)·v, and puts the op `attention` in its place.
 *
 * It must be asked before a gradient is taken: the gradient of the plain form reads the weights, T × S of them per head,
 * and keeping those out of memory afterwards takes three rewrites far from each other that must all succeed.
 *
 * Both forms give the same wherever the plain one gives numbers. A query that sees no key is NaN in the plain form and
 * 0 in the op; a value of v that is infinite or NaN, under a mask, makes the plain form NaN and is left out by the op.
 */

import { showOrigin } from "../../compiler/errors.ts";
import { applyAll } from "../../compiler/graph/build.ts";
import { consumersOf, demanded, type Graph, resultsOf } from "../../compiler/graph/graph.ts";
import type { Node } from "../../compiler/graph/node.ts";
import { rewriteGraph } from "../../compiler/graph/rewrite.ts";
import { attentionOp } from "./attention.ts";
import { type AttentionMatch, isNearMiss, matchAttention, operandsOf } from "./attention_match.ts";

/** Yes, or no with what was in the way: a report shows near misses, since they cost what attention saves. */
export interface AttentionDecision {
  /** The product with v, in the graph that was asked. */
  readonly node: Node;
  readonly fuse: boolean;
  readonly because: string;
  /** As a sentence that outlives the graph: where it stands, what became of it and why. */
  readonly text: string;
}

export interface RecognizedAttention {
  readonly graph: Graph;
  readonly decisions: readonly AttentionDecision[];
}

/** The graph with `attention` in the place of its plain form; the same graph where there is none. */
export function recognizeAttention(graph: Graph): RecognizedAttention {
  const users = consumersOf(graph);
  const wanted = demanded(graph);
  const decisions: AttentionDecision[] = [];
  const found = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.op.name !== "matmul") continue;
    const match = matchAttention(node.inputs[0]!, node.inputs[1]!);
    if (!match) continue;
    const because = isNearMiss(match) ? match.near : usedElsewhere(node, match, users, wanted);
    if (because === undefined) found.add(node);
    decisions.push(decisionOf(graph, node, because));
  }
  if (found.size === 0) return { graph, decisions };
  const rewritten = rewriteGraph(graph, (node, [weights, v]) => {
    if (!found.has(node)) return undefined;
    // The new forms have the shape that the old ones had.
    const match = matchAttention(weights!, v!) as AttentionMatch;
    const { q, k, mask, causal } = operandsOf(match);
    const inputs = [q, k, v!, ...mask ? [mask] : []];
    return [applyAll(attentionOp, inputs, { causal, scale: match.scale })[0]!];
  });
  return { graph: rewritten, decisions };
}

function decisionOf(graph: Graph, node: Node, against: string | undefined): AttentionDecision {
  const { shape } = node.inputs[0]!;
  const because = against ?? `its weights of ${shape.join(" × ")} are never stored`;
  const scope = graph.builder.scopes.get(node);
  const origin = graph.builder.originsOf(node)[0];
  const place = [scope, origin && showOrigin(origin)].filter((part) => part).join(", ");
  const what = against === undefined ? "became attention" : "stayed plain";
  return {
    node,
    fuse: against === undefined,
    because,
    text: `softmax(q·kᵀ)·v ${place === "" ? "" : `(${place}) `}${what}: ${because}`,
  };
}

/** Why the steps in between would have to be computed all the same, if so. */
function usedElsewhere(
  end: Node,
  { steps }: AttentionMatch,
  users: ReadonlyMap<Node, readonly Node[]>,
  wanted: ReadonlySet<string>,
): string | undefined {
  for (const step of steps) {
    if (resultsOf(step).some((t) => wanted.has(t.key))) {
      return `its ${step.op.name} of ${step.types[0]!.shape.join(" × ")} is an output`;
    }
    const other = users.get(step)?.find((user) => user !== end && !steps.has(user));
    if (other) {
      return `its ${step.op.name} of ${step.types[0]!.shape.join(" × ")} also goes into ${other.op.name}`;
    }
  }
  return undefined;
}
