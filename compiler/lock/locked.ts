/**
 * Compiling by a lock: its numbers are the target's, its cover is the policy's answer.
 * @module
 */

import type { CompileOptions } from "../compile.ts";
import { CompileError, InternalError } from "../errors.ts";
import type { Cover } from "../fuse/group.ts";
import type { FusionPolicy } from "../fuse/policy.ts";
import type { Graph } from "../graph/graph.ts";
import { type Node, Tensor } from "../graph/node.ts";
import { expandComposites, type Pass, passes as shipped, withoutPasses } from "../passes.ts";
import type { KernelSchedule } from "../schedule/own.ts";
import { graphDifferences } from "./compare_graphs.ts";
import { describeGraph, fingerprints } from "./graph.ts";
import { type PlanLock, type Ref, targetOfLock } from "./lock.ts";

/** What a lock names and cannot hold: functions. */
export interface OwnParts {
  /** Passes of a user's own that the lock names; those that ship need not be given. */
  readonly passes?: readonly Pass[];
  /** Schedules of a user's own that the lock names. */
  readonly schedules?: readonly KernelSchedule[];
}

/** The graph is not the one that was locked. */
export class LockError extends CompileError {
  override name = "LockError";
  constructor(message: string, readonly differences: readonly string[]) {
    super(message);
  }
}

/**
 * A policy that decides nothing: its cover is the lock's, whatever the order in which the model's lines stand now.
 *
 * @throws LockError, when it is asked, where the graph is another one.
 * @example
 * ```ts
 * import { compileGraph, policies } from "../compile.ts";
 * import { testTarget } from "../target.ts";
 * import { input, lockOf, model, softmax } from "../../mod.ts";
 * import { locked } from "./locked.ts";
 *
 * const net = model({ x: input([8, 16], "f32") }, ({ x }) => ({ y: softmax(x) }));
 * const lock = lockOf(compileGraph(net.graph, { target: testTarget, policy: policies.none }));
 * const again = compileGraph(net.graph, { target: testTarget, policy: locked(lock) });
 * console.log(again.kernels.length); // as many as without fusion
 * ```
 */
export function locked(lock: PlanLock): FusionPolicy {
  const { name, takesHints } = lock.policy;
  return { name: `${name}, locked`, takesHints, cover: (graph) => coverOf(lock, graph) };
}

function coverOf(lock: PlanLock, graph: Graph): Cover {
  const now = describeGraph(graph);
  const changes = graphDifferences(lock.graph, now);
  if (changes.length > 0) {
    throw new LockError(
      `lock: the graph is not the one that was locked. ${
        changes.join("; ")
      }. Make a new lock, or go back to that model`,
      changes,
    );
  }
  const nodes = new Map(fingerprints(now).map((print, i) => [print, graph.nodes[i]!]));
  const own = fingerprints(lock.graph).map((print) => nodes.get(print));
  const at = (position: number): Node => {
    const node = own[position];
    if (node) return node;
    throw new CompileError(
      `lock: a group has node ${position}, and the lock's graph has ${own.length} nodes: the file was changed by hand`,
    );
  };
  const groups = lock.groups.map((group, id) => ({
    id,
    nodes: new Set(group.nodes.map(at)),
    roots: group.roots.map(([position, result]: Ref) => new Tensor(at(position), result)),
  }));
  return { groups, decisions: [] };
}

/**
 * What `compileGraph` is given to make the program that was locked.
 *
 * @throws CompileError where the lock names a pass or a schedule that is neither Weft's nor given.
 */
export function lockedOptions(
  lock: PlanLock,
  own: OwnParts = {},
): CompileOptions & { readonly sizes: PlanLock["model"]["sizes"] } {
  return {
    target: targetOfLock(lock),
    sizes: lock.model.sizes,
    policy: locked(lock),
    cost: lock.cost,
    arithmetic: lock.arithmetic,
    passes: lock.passes.map((pass) => passOf(pass, own.passes ?? [])),
    schedules: lock.schedules.map((name) => {
      const found = own.schedules?.find((schedule) => schedule.name === name);
      if (found) return found;
      throw new CompileError(
        `lock: it was made with a schedule "${name}" of its author's; give it: schedules: [${name}]`,
      );
    }),
    tuning: lock.tuning,
  };
}

/**
 * What `f` compiles by a lock. A promise that is broken between two stages then is the file's fault, and no bug of Weft's.
 *
 * @throws CompileError in place of InternalError.
 */
export function following<T>(f: () => T): T {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof InternalError)) throw error;
    throw new CompileError(
      `lock: it can't be followed, since its numbers do not fit together: ${error.what}. Make a new one with \`weft lock\``,
      { cause: error },
    );
  }
}

function passOf({ name, parts }: PlanLock["passes"][number], own: readonly Pass[]): Pass {
  const found = [...own, ...shipped, expandComposites].find((pass) => pass.name === name);
  if (!found) {
    throw new CompileError(
      `lock: it was made with a pass "${name}", which this Weft has not; give it, if it is your own: passes: [${name}]`,
    );
  }
  const missing = parts?.find((part) => !found.parts?.includes(part));
  if (missing !== undefined) {
    throw new CompileError(
      `lock: it was made with the part "${missing}" of the pass "${name}", which this Weft has not`,
    );
  }
  // What has been added to the pass since then stays out.
  const added = parts ? found.parts!.filter((part) => !parts.includes(part)) : [];
  const [trimmed] = withoutPasses([found], ...added);
  return trimmed!;
}
