/**
 * Each kernel by itself: what it stored, against the references of its ops on what it read.
 *
 * What it read is what the device had stored there. So rounding that has accumulated is nobody's fault, and the first
 * kernel that is wrong is wrong by its own doing.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { WeftError } from "../../compiler/errors.ts";
import { type Group, isLargeConstant, isLeaf, labelOf, loadsOf } from "../../compiler/fuse/group.ts";
import { type StoredArray, storedArray } from "../../compiler/graph/dtype.ts";
import { elementsOf } from "../../compiler/graph/dim.ts";
import { inputName } from "../../compiler/graph/graph.ts";
import type { Node, Tensor } from "../../compiler/graph/node.ts";
import type { Expected } from "../../compiler/reference/tolerance.ts";
import { inputOp } from "../../ops/leaves.ts";
import type { RunData } from "../verify.ts";
import { type Case, changed } from "./case.ts";
import { compared, expectationsOf, type Failure } from "./judge.ts";
import type { StoredValues } from "./kept_run.ts";

export interface WrongKernel {
  readonly group: Group;
  readonly label: string;
  readonly failure: Failure;
  /** Its ops, fed with what the device had; the results that are wrong. */
  readonly case: Case;
}

export interface LocalChecks {
  readonly kernels: number;
  readonly results: number;
  /** Results of which nothing can be said (SEMANTICS §10). */
  readonly dropped: number;
  /** Why some kernels could not be judged. */
  readonly unjudged: readonly string[];
  /** The largest error as a part of what is allowed, and whose it is; none where no float was compared. */
  readonly worst?: { readonly label: string; readonly part: number };
  /** The first kernel that is wrong. */
  readonly wrong?: WrongKernel;
}

export interface LocalCheckOptions {
  /** Whether the device's own functions were used. */
  readonly builtins: boolean;
  readonly onProgress?: (done: number, of: number, label: string) => void;
  readonly signal?: AbortSignal;
}

/** Checks kernel after kernel, in an order in which they ran, up to the first that is wrong. */
export async function checkKernels(
  compiled: Compiled,
  values: StoredValues,
  data: RunData,
  { builtins, onProgress, signal }: LocalCheckOptions,
): Promise<LocalChecks> {
  const { graph, cover: { groups } } = compiled;
  const whole: Case = { graph, feeds: data.feeds, states: data.states };
  const count = { kernels: 0, results: 0, dropped: 0 };
  const unjudged: string[] = [];
  let worst: LocalChecks["worst"];
  for (const [done, group] of groups.entries()) {
    signal?.throwIfAborted();
    const label = labelOf(graph, group);
    onProgress?.(done, groups.length, label);
    await new Promise((resolve) => setTimeout(resolve)); // references compute long; others have their turn
    const c = caseOf(whole, group, values);
    if (c === undefined) continue; // nothing of it has elements
    let expected;
    try {
      expected = expectationsOf(c, builtins);
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      unjudged.push(`"${label}": ${error.what}`); // a user's kernel without a reference
      continue;
    }
    const results = new Map(group.roots.map((t, i) => [`y${i}`, values.get(t.key)!]));
    const { failure, ...own } = compared(expected, results, new Map(Object.entries(c.graph.outputs)));
    count.kernels++;
    count.results += own.compared;
    count.dropped += own.dropped;
    if (failure) {
      const only = { [failure.result!]: c.graph.outputs[failure.result!]! };
      return {
        ...count,
        unjudged,
        ...worst && { worst },
        wrong: { group, label, failure, case: changed(c, { outputs: only })! },
      };
    }
    for (const [name, want] of expected) {
      const part = largestPart(want, results.get(name)!);
      if (part > (worst?.part ?? -1)) worst = { label, part };
    }
  }
  return { ...count, unjudged, ...worst && { worst } };
}

/** A group's ops as a graph of their own: what it loads is fed, with what is there. */
function caseOf(whole: Case, group: Group, values: StoredValues): Case | undefined {
  if (group.roots.every((t) => elementsOf(t.shape) === 0)) return undefined;
  const loads = Map.groupBy(loadsOf(group).filter(({ node }) => !isLargeConstant(node)), (t) => t.node);
  const fed = new Map<Node, readonly StoredArray[]>();
  for (const [node, tensors] of loads) {
    fed.set(
      node,
      node.types.map((_, result) => contentsOf(whole, tensors.find((t) => t.result === result), values)),
    );
  }
  const outputs = Object.fromEntries(group.roots.map((t, i) => [`y${i}`, t]));
  return changed(whole, { outputs, writes: [], fed });
}

function contentsOf({ feeds, states }: Case, t: Tensor | undefined, values: StoredValues): StoredArray {
  if (t === undefined) return storedArray("f32", 0); // nobody reads that result
  if (!isLeaf(t.node)) return values.get(t.key)!;
  return t.node.op === inputOp ? feeds[inputName(t)]! : states[t.node.attrs.path]!;
}

/** The largest distance from what a result should be, as a part of the tolerance. */
function largestPart({ values, tolerance, dropped }: Expected, got: StoredArray): number {
  let largest = -1;
  if (dropped !== undefined) return largest;
  for (let i = 0; i < got.length; i++) {
    const part = tolerance[i]! > 0 ? Math.abs(got[i]! - values[i]!) / tolerance[i]! : -1;
    if (part <= 1 && part > largest) largest = part;
  }
  return largest;
}
