/**
 * Compiling a model again as it was locked, and saying what came out differently. Needs no device.
 * @module
 */

import { type Compiled, compileGraph } from "../../compiler/compile.ts";
import { RunError } from "../../compiler/errors.ts";
import type { Sizes } from "../../compiler/graph/dim.ts";
import { programDifferences } from "../../compiler/lock/compare.ts";
import type { PlanLock } from "../../compiler/lock/lock.ts";
import { following, lockedOptions, LockError, type OwnParts } from "../../compiler/lock/locked.ts";
import type { Model } from "../../compiler/model/model.ts";
import { version } from "../version.ts";

export interface Replay {
  /** Whether every kernel, grid and place is what was locked, hash for hash. */
  readonly same: boolean;
  /** What is not, one sentence each. */
  readonly differences: readonly string[];
  /** What may explain differences and is none: versions. */
  readonly notes: readonly string[];
  /** The program; undefined where the model is no longer the one that the lock's cover is for. */
  readonly compiled: Compiled | undefined;
}

/**
 * Compiles a model by a lock and compares.
 *
 * @param own The passes and schedules of your own that the lock names.
 * @throws CompileError where the model has no such sizes or can't be compiled any more.
 * @example
 * ```ts
 * import { input, lockOf, model, replay, softmax } from "@weft/weft";
 * import { compileGraph } from "../../compiler/compile.ts";
 * import { gpuTarget } from "../../compiler/target.ts";
 *
 * const net = model({ x: input(["rows", 16], "f32") }, ({ x }) => ({ y: softmax(x) }));
 * const lock = lockOf(compileGraph(net.graph, { target: gpuTarget, sizes: { rows: 8 } }));
 * const { same, differences } = replay(net, lock);
 * console.log(same, differences); // true []
 * ```
 */
export function replay(model: Pick<Model, "graph">, lock: PlanLock, own: OwnParts = {}): Replay {
  const notes = versionNotes(lock);
  try {
    const compiled = following(() => compileGraph(model.graph, lockedOptions(lock, own)));
    const differences = programDifferences(lock, compiled);
    return { same: differences.length === 0, differences, notes, compiled };
  } catch (error) {
    if (!(error instanceof LockError)) throw error;
    return { same: false, differences: error.differences, notes, compiled: undefined };
  }
}

/** Versions that are not the lock's. */
export function versionNotes({ versions: { weft, deno } }: PlanLock): readonly string[] {
  return [
    ...weft === version ? [] : [`locked by Weft ${weft}, and this is ${version}`],
    ...deno === Deno.version.deno ? [] : [`locked with Deno ${deno}, and this is ${Deno.version.deno}`],
  ];
}

/**
 * The sizes of a lock, held against those that somebody asks for.
 *
 * @throws RunError where they are others.
 */
export function sizesOfLock({ model: { sizes } }: PlanLock, asked: Sizes | undefined, what: string): Sizes {
  if (asked === undefined) return sizes;
  const names = [...new Set([...Object.keys(sizes), ...Object.keys(asked)])];
  const wrong = names.find((name) => sizes[name] !== asked[name]);
  if (wrong === undefined) return sizes;
  const [was, is] = [sizes[wrong], asked[wrong]];
  throw new RunError(
    `${what}: the lock is for ${was === undefined ? `no size "${wrong}"` : `${wrong} = ${was}`}, and ${
      is === undefined ? "it is not given" : `${wrong} = ${is} is asked for`
    }. A plan is for one choice of sizes: make another lock, or leave the sizes to this one.`,
  );
}
