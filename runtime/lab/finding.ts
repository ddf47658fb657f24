/**
 * What bisection finds.
 * @module
 */

import type { Case } from "./case.ts";

/** A file that shows what was found. */
export interface Reproduction {
  readonly text: string;
  readonly case: Case;
  /** Nodes of its graph, inputs among them. */
  readonly nodes: number;
  /** Nothing simpler was found that fails; else the time was over. */
  readonly minimal: boolean;
}

export interface Finding {
  /**
   *     fused    wrong only where ops share a kernel
   *     op       wrong by itself, too: the op's lowering, its schedule, the emitter or the driver
   *     pass     the graph had another meaning before anything was fused
   *     memory   right with all temporaries kept, wrong where they share memory
   */
  readonly kind: "fused" | "op" | "pass" | "memory";
  /** What is wrong, in sentences. */
  readonly message: string;
  /** The node at fault, where it is one: op, type and source line. */
  readonly node?: { readonly op: string; readonly type: string; readonly place?: string };
  /** The kernel at fault. */
  readonly kernel?: string;
  readonly reproduction?: Reproduction;
}
