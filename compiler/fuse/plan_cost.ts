/**
 * What a cover costs, in milliseconds, before anything runs: the sum over its groups of
 *
 *     a dispatch  +  bytes ÷ bandwidth  +  steps ÷ rate
 *
 * with the work of each group read off its values (`group_work.ts`, `contraction_steps.ts`) and the numbers of a
 * `CostModel`, which come from the target. The steps know that an access takes as long as many operations, that what is
 * the same for all elements is computed once, and how many columns and rows of a contraction share an operand, so how
 * many lanes idle where it has few. Traffic and arithmetic are added and not overlapped: on a CPU the same cores do both, and on a graphics
 * processor the sum is at most twice the larger one. Groups that only write states are packed into one dispatch later
 * on, so they pay for none here.
 *
 * It knows nothing of caches, nor of kernels too small to fill the machine; it puts covers in an order, and what is measured
 * decides. A user replaces the three lines by giving `CostModel.groupMs`.
 */

import { type Graph, resultsOf } from "../graph/graph.ts";
import { deviceBytes } from "../graph/dtype.ts";
import type { Tensor } from "../graph/node.ts";
import { type Cover, type Group, isProgramNode, loadsOf } from "./group.ts";
import type { ExpectedStorage } from "./expected_storage.ts";
import { type GroupWork, workOf } from "./group_work.ts";
import { type Accepted, classify } from "./legal.ts";
import { concrete, lowerGroup } from "./lower_group.ts";
import { isRefused, type Refused } from "./reason.ts";
import { signatureOf } from "./signature.ts";
import { accessOf, type CostModel, elementsOf, stepsPerMsOf } from "./worthwhile.ts";

/** Milliseconds of a group by the numbers of a model. */
export function groupMs({ reads, writes, steps, packed }: GroupWork, cost: CostModel): number {
  return (packed ? 0 : cost.dispatchMs) + (reads + writes) / cost.bytesPerMs + steps / stepsPerMsOf(cost);
}

/** What is known of a group: whether it can be one kernel, what it does, how long that should take. */
export interface Estimate {
  readonly verdict: Accepted | Refused;
  readonly work: GroupWork;
  readonly ms: number;
}

type Part = Pick<Group, "roots" | "nodes">;

/** Estimates with a memory: equal groups are lowered and judged once. */
export class Estimates {
  readonly #known = new Map<string, Estimate>();
  /** Groups never change: the same object is the same question. */
  readonly #asked = new WeakMap<Part, Estimate>();
  readonly #written: ReadonlySet<string>;

  constructor(graph: Graph, readonly cost: CostModel, readonly storage: ExpectedStorage) {
    this.#written = new Set(graph.writes.map((w) => w.value.key));
  }

  /** Different groups that were looked at. */
  get size(): number {
    return this.#known.size;
  }

  of(group: Part): Estimate {
    let known = this.#asked.get(group);
    if (!known) this.#asked.set(group, known = this.#find(group));
    return known;
  }

  #find(group: Part): Estimate {
    const updates = group.roots.every((t) => this.#written.has(t.key));
    const key = `${updates ? "update " : ""}${signatureOf(group, this.storage).text}`;
    let known = this.#known.get(key);
    if (!known) this.#known.set(key, known = this.#ask(group, updates));
    return known;
  }

  /** Milliseconds of a whole cover. */
  planMs({ groups }: Pick<Cover, "groups">): number {
    return groups.reduce((sum, g) => sum + this.of(g).ms, 0);
  }

  #ask(group: Part, updates: boolean): Estimate {
    const { cost } = this;
    const timed = (verdict: Accepted | Refused, work: GroupWork): Estimate => ({
      verdict,
      work,
      ms: cost.groupMs ? cost.groupMs(work) : groupMs(work, cost),
    });
    const { node } = group.roots[0]!;
    if (isProgramNode(node)) {
      const refused: Refused = { rule: "program", refused: `${node.op.name} brings kernels of its own` };
      return timed(refused, programWork(group, accessOf(cost)));
    }
    const lowered = lowerGroup(group, this.storage);
    const verdict = classify(lowered, Infinity);
    const accepted = isRefused(verdict) ? undefined : verdict;
    return timed(verdict, workOf(lowered, accepted, cost, updates && accepted?.kind === "map"));
  }
}

const bytesOf = (tensors: readonly Tensor[]): number =>
  tensors.reduce((n, t) => n + elementsOf(t) * deviceBytes(t.dtype), 0);

/**
 * Of a program only what it reads and stores is known, and how many products its op sums for an element of a result:
 * roughly what it takes, an operand being loaded for some eight products. No cover changes it.
 */
function programWork(group: Part, access: number): GroupWork {
  const loads = loadsOf(group);
  const { node } = group.roots[0]!;
  const terms = node.op.terms?.(node.inputs.map(concrete), node.attrs) ?? 1;
  const products = resultsOf(node).reduce((n, t) => n + elementsOf(t) * (terms - 1), 0);
  const elements = [...loads, ...group.roots].reduce((n, t) => n + elementsOf(t), 0);
  return {
    kind: "program",
    reads: bytesOf(loads),
    writes: bytesOf(group.roots),
    steps: access * elements + (2 + access / 4) * products,
    results: Math.max(...group.roots.map(elementsOf)),
    terms,
    packed: false,
  };
}
