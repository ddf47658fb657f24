/**
 * Fewer nodes, the same numbers: constants are folded, views composed, rules applied.
 *
 * One walk from inputs to results makes every node anew with its simplified inputs and then rewrites it until nothing
 * fires. That ends: each rule's right side has fewer ops than its left, or trades a quotient or product for a cheaper
 * op on which no rule with the reverse exists; a composed view has fewer views; a folded node is a constant.
 */

import { CompileError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { resultsOf } from "../graph/graph.ts";
import type { Tensor } from "../graph/node.ts";
import { rewriteGraph } from "../graph/rewrite.ts";
import { folded } from "./fold_constants.ts";
import { build, match } from "./pattern.ts";
import { type Rule, rules as shipped } from "./rules.ts";
import { simplerView } from "./views.ts";

/** Hears which rule fired, and for the node of which op. */
export type Listener = (rule: string, op: string) => void;

/** Rewrites of one node after which a user's rules are taken to go round in circles. */
const mostSteps = 1000;

/** What `simplify` does besides its rules: names for whoever switches something off. */
export const otherSteps = ["fold constants", "compose views"] as const;

export interface SimplifyOptions {
  /** Default: those that ship. */
  readonly rules?: readonly Rule[];
  /** Names of rules, and of `otherSteps`, that are left out. */
  readonly without?: ReadonlySet<string>;
}

export function simplify(
  graph: Graph,
  listen: Listener = () => {},
  { rules = shipped, without = new Set() }: SimplifyOptions = {},
): Graph {
  const byOp = Map.groupBy(rules.filter((rule) => !without.has(rule.name)), (rule) => rule.from.op);
  return rewriteGraph(graph, (node, inputs, builder) => {
    if (node.types.length > 1 || inputs.length === 0 && node.op.name !== "sizeOf") return undefined;
    let current: Tensor = resultsOf(builder.node(node.op, inputs, node.attrs))[0]!;
    let last = "";
    for (let steps = 0; steps < mostSteps; steps++) {
      const next = step(current, (rule, op) => listen(last = rule, op), byOp, without);
      if (!next) return [current];
      current = next;
    }
    throw new CompileError(
      `simplify: the rule "${last}" fires on ${current.node.op.name} again and again; a right side must be simpler than ` +
        "its left side, or no rule may lead back",
    );
  });
}

/** One simplification at the tensor itself, or undefined where none applies. */
function step(
  tensor: Tensor,
  listen: Listener,
  byOp: ReadonlyMap<string, readonly Rule[]>,
  without: ReadonlySet<string>,
): Tensor | undefined {
  const { node } = tensor;
  const { op, inputs } = node;
  const constant = without.has("fold constants") ? undefined : folded(node, inputs);
  if (constant) {
    listen("fold constants", op.name);
    return constant;
  }
  if (op.view && inputs.length === 1 && !without.has("compose views")) {
    const view = simplerView(node, inputs[0]!);
    if (view) listen("compose views", op.name);
    return view;
  }
  for (const rule of byOp.get(op.name) ?? []) {
    if (rule.holds && !rule.holds(tensor.dtype)) continue;
    const bindings = match(rule.from, tensor);
    if (!bindings) continue;
    listen(rule.name, op.name);
    return build(rule.to, bindings, tensor);
  }
  return undefined;
}
