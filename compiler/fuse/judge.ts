/**
 * Legality with a memory: equal groups (signature.ts) are lowered and judged once. A model of forty equal layers asks
 * the same questions forty times.
 */

import type { Node, Tensor } from "../graph/node.ts";
import { type Accepted, classify } from "./legal.ts";
import { isRefused, type Refused } from "./reason.ts";
import type { ExpectedStorage } from "./expected_storage.ts";
import { lowerGroup } from "./lower_group.ts";
import { signatureOf } from "./signature.ts";
import { below } from "./worthwhile.ts";

export interface Judgement {
  readonly verdict: Accepted | Refused;
  /** Is the node in question computed inside the loop of the group's contraction? */
  readonly prologue: boolean;
  /** How often such a loop runs per element of the contraction's result. */
  readonly depth: number;
}

export class Judge {
  readonly #known = new Map<string, Judgement>();

  constructor(readonly storageBuffers: number, readonly storage: ExpectedStorage) {}

  /** May these nodes be one kernel, and what becomes of `node` in it? */
  judge(
    group: { readonly roots: readonly Tensor[]; readonly nodes: ReadonlySet<Node> },
    node?: Node,
  ): Judgement {
    const position = node ? [...group.nodes].filter((n) => n.id < node.id).length : -1;
    const key = `${position}#${signatureOf(group, this.storage).text}`;
    let known = this.#known.get(key);
    if (!known) this.#known.set(key, known = this.#ask(group, node));
    return known;
  }

  #ask(
    group: { readonly roots: readonly Tensor[]; readonly nodes: ReadonlySet<Node> },
    node?: Node,
  ): Judgement {
    const lowered = lowerGroup(group, this.storage);
    const verdict = classify(lowered, this.storageBuffers);
    if (isRefused(verdict) || !verdict.main || !node) return { verdict, prologue: false, depth: 0 };
    const { main } = verdict;
    const made = lowered.reader.made.get(node) ?? [];
    const inside = below([main.body]);
    return {
      verdict,
      prologue: made.some((v) => v !== main && inside.has(v)),
      depth: main.vars.reduce((n, v) => n * v.extent, 1),
    };
  }
}
