/**
 * A program: the compiled graph as plain data. The runtime executes it, a bundle is the same thing on disk, a report is
 * the same thing as a page. Nothing in here refers back to the graph.
 */

import type { DType } from "../graph/dtype.ts";
import type { AnyKernel } from "../kernel/raw.ts";

/** A GPUBuffer (or host array) that the program owns for its whole life. */
export interface Arena {
  readonly name: string;
  /** A multiple of 256. */
  readonly bytes: number;
  /**
   * `state` survives between runs, `temporary` is scratch, `input` is written by a feed, `output` is read by the host,
   * `constant` is written once at load.
   */
  readonly role: "state" | "temporary" | "input" | "output" | "constant";
}

/** A range of an arena that holds one tensor, dense and row-major. `offset` is a multiple of 256. */
export interface Region {
  readonly arena: number;
  readonly offset: number;
  /** Bytes of the tensor itself (unpadded); 0 for an empty tensor, which no kernel binds. */
  readonly bytes: number;
}

export interface Slot {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly region: Region;
}

export interface StateSlot extends Slot {
  /** Optimizers see parameters only. */
  readonly role: "parameter" | "state";
}

export interface OutputSlot extends Slot {
  /** Runs for which a result stays valid (SEMANTICS §3). The runtime copies the region into a ring of this many slots. */
  readonly ring: number;
}

export interface Binding {
  /** Range bound for the kernel's buffer of the same position; it may span several tensors of a slab. */
  readonly arena: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface Dispatch {
  /** Index into `kernels`. */
  readonly kernel: number;
  /** Linear number of workgroups; the runtime folds it into (x, y) past 65,535. */
  readonly groups: number;
  readonly bindings: readonly Binding[];
  /** One number per parameter of the kernel. */
  readonly params: readonly number[];
  /** What it computes, for traces and reports: scope and ops. */
  readonly label: string;
  /** Set where the dispatch exists because a reduction was split over workgroups. */
  readonly split: boolean;
}

/** A copy between regions that no kernel makes (a swap of states). Runs at its place among the dispatches. */
export interface Copy {
  readonly from: Binding;
  readonly to: Binding;
}

export type Step = { readonly kind: "dispatch"; readonly dispatch: Dispatch } | {
  readonly kind: "copy";
  readonly copy: Copy;
};

export interface Program {
  readonly version: 1;
  readonly arenas: readonly Arena[];
  readonly kernels: readonly AnyKernel[];
  readonly steps: readonly Step[];
  readonly inputs: readonly Slot[];
  readonly outputs: readonly OutputSlot[];
  readonly state: readonly StateSlot[];
  /** Contents of constant regions, dense, in device form (f16 as halves, bool as u32). */
  readonly constants: readonly { readonly region: Region; readonly data: Uint8Array<ArrayBuffer> }[];
  /** Temporaries: planned peak and the lower bound for this order, in bytes (256-byte sizes). */
  readonly memory: { readonly peak: number; readonly bound: number };
}
