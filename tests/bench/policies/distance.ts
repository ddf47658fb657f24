/**
 * How far policies are from the best partition of small random graphs, by the cost model that they all ask.
 * @module
 */

import { policies } from "../../../compiler/compile.ts";
import type { PolicyName } from "../../../compiler/fuse/policies.ts";
import { bestPartitions } from "../../../compiler/fuse/policies/exhaustive.ts";
import type { Target } from "../../../compiler/target.ts";
import { median } from "../../../runtime/tune/race.ts";
import { drawGraphs } from "./graphs.ts";

export const compared = ["none", "epilogue-only", "max", "greedy", "search"] as const satisfies PolicyName[];

/** What a policy's covers cost over what the best partition costs, less 1. */
export interface Distance {
  readonly policy: PolicyName;
  readonly mean: number;
  readonly median: number;
  readonly worst: number;
  /** Below 0 where computing something twice is better than any partition. */
  readonly best: number;
  /** Part of the graphs on which it is as good as the best partition, or better. */
  readonly optimal: number;
}

export interface DistanceOptions {
  readonly count: number;
  readonly seed: number;
  readonly scale: number;
  readonly target: Target;
}

/** Costs that differ by less are equal. */
const same = 1e-6;

export function distances(options: DistanceOptions): readonly Distance[] {
  const found = new Map<PolicyName, number[]>(compared.map((name) => [name, []]));
  for (const { candidates } of drawGraphs(options)) {
    const { graph, estimates, options: asked } = candidates;
    const [best] = bestPartitions(candidates, 1);
    for (const name of compared) {
      const ms = estimates.planMs(policies[name].cover(graph, asked));
      found.get(name)!.push(ms / best!.ms - 1);
    }
  }
  return [...found].map(([policy, list]) => ({
    policy,
    mean: list.reduce((sum, x) => sum + x, 0) / list.length,
    median: median(list),
    worst: Math.max(...list),
    best: Math.min(...list),
    optimal: list.filter((x) => x < same).length / list.length,
  }));
}
