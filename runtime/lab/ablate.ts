/**
 * What each pass, each rule and each policy is worth for a model: the plan with it beside the plan without.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { policies, type PolicyName } from "../../compiler/fuse/policies.ts";
import { mostAtoms } from "../../compiler/fuse/policies/exhaustive.ts";
import { Candidates } from "../../compiler/fuse/candidates.ts";
import { costModelOf } from "../../compiler/fuse/worthwhile.ts";
import { RunError } from "../../compiler/errors.ts";
import { bindSizes } from "../../compiler/graph/bind.ts";
import type { Sizes } from "../../compiler/graph/dim.ts";
import type { Graph } from "../../compiler/graph/graph.ts";
import type { Model } from "../../compiler/model/model.ts";
import { expandComposites, passes, withoutPasses } from "../../compiler/passes.ts";
import { simplify } from "../../compiler/simplify/simplify.ts";
import type { Target } from "../../compiler/target.ts";
import {
  comparePlans,
  type ComparePlansOptions,
  type PlanComparison,
  type Variant,
} from "./compare_plans.ts";

/** The rows, the default first, and what was not worth one. */
export interface Ablation extends PlanComparison {
  /** Sentences on rules that never fire here and policies that do not take such a graph. */
  readonly notes: readonly string[];
}

/** Options of `ablate`. */
export interface AblateOptions extends ComparePlansOptions {
  /** Names of rows to make besides the default; all where nothing is given. */
  readonly only?: readonly string[];
}

/**
 * Compiles a model without each pass, without each rule that fires, and by each policy, and times the plans in turns.
 *
 * A variant that can't be compiled stays among the rows, with the reason. Where a variant comes to the default's own
 * program it is not timed: it takes the same time.
 *
 * @throws RunError where `only` names no row, or the default can't be compiled.
 * @example
 * ```ts
 * import { ablate, input, linear, model, openDevice, printPlans, softmax } from "@weft/weft";
 *
 * const net = model({ x: input([64, 32], "f32") }, ({ x }) => ({ y: softmax(linear(32, 10)(x)) }));
 * using device = await openDevice({ device: "cpu" });
 * const found = await ablate(net, { device, rounds: 6, only: ["policy none", "without isolate"] });
 * console.log(printPlans(found));
 * ```
 */
export async function ablate(model: Pick<Model, "graph">, options: AblateOptions): Promise<Ablation> {
  const { sizes = {}, device, target = device?.target, only } = options;
  if (target === undefined) {
    throw new RunError("ablate(): give a device to time plans on, or a target to compile for.");
  }
  const { variants, notes } = ablations(model.graph, target, sizes);
  const unknown = only?.find((name) => !Object.hasOwn(variants, name));
  if (unknown !== undefined) {
    throw new RunError(
      `ablate(): there is no row "${unknown}"; there are ${
        Object.keys(variants).map((name) => `"${name}"`).join(", ")
      }.`,
    );
  }
  const chosen = Object.entries(variants).filter(([name]) => name === base || (only?.includes(name) ?? true));
  return { ...await comparePlans(model, Object.fromEntries(chosen), options), notes };
}

const base = "default";

/**
 * The names that `only` may have: the rows of a model's table, the default first.
 *
 * @throws CompileError or ShapeError where the sizes are not the model's.
 */
export const ablationRows = (model: Pick<Model, "graph">, target: Target, sizes: Sizes): readonly string[] =>
  Object.keys(ablations(model.graph, target, sizes).variants);

/** The variants that differ for a graph, and sentences on those that can't. */
function ablations(
  graph: Graph,
  target: Target,
  sizes: Sizes,
): { readonly variants: Readonly<Record<string, Variant>>; readonly notes: readonly string[] } {
  const bound = bindSizes(graph, sizes);
  const variants: Record<string, Variant> = { [base]: {} };
  const notes: string[] = [];
  const fired = new Set<string>();
  const simplified = simplify(bound, (rule) => fired.add(rule));
  const idle: string[] = [];
  for (const { name, parts = [] } of passes) {
    variants[`without ${name}`] = { passes: withoutPasses(passes, name) };
    for (const part of parts) {
      // Whoever has not fired is missed by nobody.
      if (fired.has(part)) variants[`without ${part}`] = { passes: withoutPasses(passes, part) };
      else idle.push(part);
    }
  }
  if (idle.length > 0) notes.push(`${idle.length} rules never fire here: ${idle.join(", ")}`);
  const composites = new Set(bound.nodes.filter(({ op }) => op.expand).map(({ op }) => op.name));
  if (composites.size > 0) {
    variants[`${[...composites].join(", ")} in plain ops`] = { passes: [expandComposites, ...passes] };
  }
  for (const [name, policy] of Object.entries(policies) as [PolicyName, Variant["policy"]][]) {
    if (name === "greedy") continue; // the default's own
    if (name === "exhaustive") {
      const options = { limits: target.limits, cost: costModelOf(target) };
      const { length } = new Candidates(simplified, options).atoms;
      if (length > mostAtoms) {
        notes.push(
          `policy exhaustive takes ${counted(mostAtoms, "op")} at most, and the graph has ${length}`,
        );
        continue;
      }
    }
    variants[`policy ${name}`] = { policy: policy! };
  }
  return { variants, notes };
}
