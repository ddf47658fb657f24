/**
 * What a plan's lock holds: everything that a compile decided, so that it can be made again elsewhere and compared.
 * `plan.schema.json` says the same in JSON Schema.
 *
 *     model, target, cost, passes, policy, schedules, tuning     what the compile was given
 *     graph                                                      what fusion saw, node by node, with source lines
 *     groups                                                     the cover: what fusion decided, by positions in `graph`
 *     kernels, dispatches, memory                                what came of it: texts, grids, places
 *
 * Positions and not ids: ids depend on what else a process made, positions on the model alone.
 * @module
 */

import type { Sizes } from "../graph/dim.ts";
import type { Arithmetic } from "../fuse/lower_group.ts";
import type { CostModel } from "../fuse/worthwhile.ts";
import type { Arena } from "../program/program.ts";
import type { Tuning } from "../schedule/tuning.ts";
import type { Target } from "../target.ts";

/** Goes up when an older Weft would misread a lock. */
export const lockVersion = 1;

/** A result of a node: the node's position in the graph, and which of its results. */
export type Ref = readonly [node: number, result: number];

/** A range of an arena: the arena's index, an offset and a length in bytes. */
export type Range = readonly [arena: number, offset: number, bytes: number];

/** A node of a graph, without the names and numbers of the process that made it. */
export interface LockedNode {
  readonly op: string;
  readonly inputs: readonly Ref[];
  /** Attributes as JSON; left out where there are none. */
  readonly attrs?: string;
  /** Which copy it is, of a node that was copied on purpose; left out for 0. */
  readonly instance?: number;
  /** `f32[8, 16]`, one per result. */
  readonly types: readonly string[];
  /** It is no work, only another view or a number known while compiling: what changed is seldom this. */
  readonly trivial?: true;
  /** Where the user asked for it: an index into `sources`. It may move; nothing that is computed depends on it. */
  readonly at?: number;
}

/** A graph as data. */
export interface LockedGraph {
  /** Places in the user's source, relative to the folder that all have in common. */
  readonly sources: readonly string[];
  readonly nodes: readonly LockedNode[];
  readonly outputs: readonly (readonly [name: string, Ref])[];
  /** State and new value. */
  readonly writes: readonly (readonly [Ref, Ref])[];
}

/** The numbers of a cost model; a function of a user's own is not written down. */
export type LockedCost = Omit<CostModel, "groupMs">;

/** A target as JSON can hold it: a loop bound of `null` is none. */
export type LockedTarget = Omit<Target, "quirks"> & {
  readonly quirks: { readonly loopBound: number | null };
};

/** The adapter that the target's numbers were taken from: who asks for it is a person, no program. */
export interface LockedAdapter {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
}

export interface LockedKernel {
  /** Of the WGSL, which holds no source lines. */
  readonly sha256: string;
  /** The WGSL, line by line: what a difference is shown in. */
  readonly wgsl?: readonly string[];
}

export interface LockedDispatch {
  /** Index into `kernels`. */
  readonly kernel: number;
  /** Workgroups, before a grid of more than a device allows along one axis is folded. */
  readonly groups: number;
  readonly bindings: readonly Range[];
  readonly params: readonly number[];
  /** Scope and ops, for people. */
  readonly label: string;
}

export interface PlanLock {
  readonly format: "weft-plan-lock";
  readonly version: typeof lockVersion;
  /** What made it. */
  readonly versions: { readonly weft: string; readonly deno: string };
  readonly model: {
    /** What its file exports it as, where that is known. */
    readonly export?: string;
    /** Of the graph with its sizes bound, before any pass. */
    readonly sha256: string;
    readonly sizes: Sizes;
  };
  readonly arithmetic: Arithmetic;
  readonly target: LockedTarget;
  /** Null for a target that no adapter gave. */
  readonly adapter: LockedAdapter | null;
  readonly cost: LockedCost;
  /** In order, each with the names of its parts where it has some. */
  readonly passes: readonly { readonly name: string; readonly parts?: readonly string[] }[];
  /** Names of a user's own schedules, in order. */
  readonly schedules: readonly string[];
  readonly policy: { readonly name: string; readonly takesHints: boolean };
  /** Patches that some kernel was made with. */
  readonly tuning: Tuning;
  readonly graph: LockedGraph;
  /** In the order of the cover; nodes in the group's own order. */
  readonly groups: readonly { readonly nodes: readonly number[]; readonly roots: readonly Ref[] }[];
  readonly kernels: readonly LockedKernel[];
  readonly dispatches: readonly LockedDispatch[];
  readonly memory: {
    /** Of all places: arenas, slots, bindings, copies. */
    readonly sha256: string;
    readonly arenas: readonly Pick<Arena, "role" | "bytes">[];
    readonly peak: number;
    readonly bound: number;
  };
}

export const lockedTarget = (target: Target): LockedTarget => ({
  ...target,
  quirks: { loopBound: target.quirks.loopBound === Infinity ? null : target.quirks.loopBound },
});

export const targetOfLock = ({ target }: Pick<PlanLock, "target">): Target => ({
  ...target,
  quirks: { loopBound: target.quirks.loopBound ?? Infinity },
});
