/**
 * The search policy: from greedy's cover, one step after the other (`plan_edits.ts`) towards what the cost model likes
 * better.
 *
 *     descend   the step that saves most, then the next that touches other groups, until none saves anything
 *     beam      on graphs of moderate size, the same from other policies' covers; then, from the best few covers, also
 *               steps that save nothing at first, as long as one of the last rounds found something better
 *
 * It never gives a cover that the model likes less than greedy's. It is a function of graph and model alone: no clock
 * and no random number is asked.
 */

import type { Graph } from "../../graph/graph.ts";
import { Candidates } from "../candidates.ts";
import { greedy } from "../greedy.ts";
import type { Cover, Decision } from "../group.ts";
import { apart, type Edit, Plan } from "../plan_edits.ts";
import type { FusionOptions } from "../policy.ts";
import { epilogueOnly } from "./epilogue_only.ts";
import { max } from "./max.ts";

/** Covers that are pursued at once. */
const width = 6;
/** Rounds of the beam that may pass without anything better. */
const patience = 3;
/** Atoms of the largest graph on which the beam runs: beyond, one round asks too many questions. */
const mostForBeam = 40;

interface Step {
  readonly edit: Edit;
  readonly saves: number;
}

export function search(graph: Graph, options: FusionOptions): Cover {
  const candidates = new Candidates(graph, options);
  const start = greedy(graph, options);
  const steps: Step[] = [];
  let best = descend(new Plan(candidates, start.groups), steps);
  if (candidates.atoms.length <= mostForBeam) {
    const others = [epilogueOnly(graph, options), max(graph, options), apart(candidates).cover()];
    const found = others.map(({ groups }) => descend(new Plan(candidates, groups), []));
    best = beam([best, ...found], found.reduce((a, b) => b.ms < a.ms ? b : a, best));
  }
  return best.cover([...start.decisions, ...steps.flatMap((step) => decisionsOf(step, candidates))]);
}

/** Steps of a plan with what each saves by itself, the most first. */
function stepsOf(plan: Plan): Step[] {
  const { estimates } = plan.candidates;
  const msOf = (groups: Edit["add"]) => groups.reduce((sum, g) => sum + estimates.of(g).ms, 0);
  return [...plan.edits()].map((edit) => ({ edit, saves: msOf(edit.remove) - msOf(edit.add) }))
    .sort((a, b) => b.saves - a.saves);
}

function descend(plan: Plan, taken: Step[]): Plan {
  for (;;) {
    let better = plan;
    for (const { edit: found, saves } of stepsOf(plan)) {
      // What a merge saves by leaving out what nobody reads then shows only afterwards.
      if (saves <= 0 && found.kind !== "merge") continue;
      const edit = better.renewed(found);
      const next = edit && better.after(edit);
      if (!next || next.ms >= better.ms * (1 - 1e-9)) continue;
      taken.push({ edit, saves: better.ms - next.ms });
      better = next;
    }
    if (better === plan) return plan;
    plan = better;
  }
}

function beam(starts: readonly Plan[], best: Plan): Plan {
  const seen = new Set<string>();
  let front: readonly Plan[] = starts;
  for (let idle = 0; idle < patience && front.length > 0; idle++) {
    const found = new Map<string, Plan>();
    for (const plan of front) {
      if (seen.has(plan.key)) continue;
      seen.add(plan.key);
      for (const { edit } of stepsOf(plan).slice(0, 4 * width)) {
        const next = plan.after(edit);
        if (next && !seen.has(next.key)) found.set(next.key, next);
      }
    }
    front = [...found.values()].sort((a, b) => a.ms - b.ms).slice(0, width);
    if (front.length > 0 && front[0]!.ms < best.ms * (1 - 1e-9)) {
      best = front[0]!;
      idle = -1;
    }
  }
  return best;
}

const why = {
  merge: "search: one kernel instead of two saves",
  inline: "search: computing it where it is read saves",
  store: "search: storing it saves",
} as const;

/** One for each pair of kernels that a step is about. */
function decisionsOf({ edit: { kind, what, remove }, saves }: Step, { options }: Candidates): Decision[] {
  const node = what.at(-1)!;
  const others = kind === "merge"
    ? [what[0]!]
    : remove.map((g) => g.roots[0]!.node).filter((n) => n !== node);
  return others.map((into) => ({
    fuse: kind !== "store",
    node,
    into,
    because: `${why[kind]} ${saves.toPrecision(3)} ms by the model "${options.cost.name}"`,
    rule: "cost",
    bytes: 0,
    flops: 0,
  }));
}
