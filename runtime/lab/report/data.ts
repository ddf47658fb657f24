/**
 * What a report's page is made from, as plain data: the page and `--json` have the same.
 *
 * Ops are numbered as in `printGraph` of the graph of their stage (`%12`); groups, dispatches and kernels by their
 * position in the compile. Bytes and floating-point operations are of one run; times are in milliseconds.
 * @module
 */

/** A whole report: one compile, or two beside one another. */
export interface ReportData {
  readonly format: 1;
  /** `step of gpt_step.ts`. */
  readonly title: string;
  readonly generator: string;
  readonly compiles: readonly CompileView[];
  /** Of two compiles: for each op of the first one's final graph, its number in the second's, or -1. */
  readonly matches?: readonly number[];
}

/** One compile, its memory, and its times where it was measured. */
export interface CompileView {
  /** What tells it from another: `greedy for software, batch 8`. */
  readonly name: string;
  readonly policy: string;
  readonly target: string;
  /** The sentence that says why there are no times; absent where there are. */
  readonly unmeasured?: string;
  readonly measured?: Measured;
  /** Ops as they are, each once, whatever stages it is in. */
  readonly ops: readonly OpView[];
  /** The user's source lines by `file:line`. */
  readonly lines: Readonly<Record<string, string>>;
  readonly stages: readonly StageView[];
  readonly groups: readonly GroupView[];
  readonly dispatches: readonly DispatchView[];
  readonly kernels: readonly KernelView[];
  readonly pairs: readonly PairView[];
  readonly memory: MemoryView;
}

/** What a device reaches at best, and what it did. */
export interface Measured {
  readonly device: string;
  /** How fast it copies so much, reads and writes together, ascending. */
  readonly bandwidth: readonly { readonly bytes: number; readonly gbPerS: number }[];
  /** Multiply-adds of f32 as two operations each, in 10⁹ a second. */
  readonly gflops: number;
  /** Milliseconds of a dispatch that does next to nothing. */
  readonly dispatchMs: number;
  /** All dispatches, timed one by one, and a whole run with nothing timed in between. */
  readonly ms: number;
  readonly runMs: number;
  readonly rounds: number;
}

export type Phase = "forward" | "backward" | "update";

/** An op, without its place in a graph. */
export interface OpView {
  readonly op: string;
  /** Types of its results. */
  readonly type: string;
  /** Attributes as `printGraph` shows them. */
  readonly attrs: string;
  readonly scope: string;
  readonly phase: Phase;
  /** `file:line:column`, the user's. */
  readonly at: readonly string[];
  readonly kind: "op" | "view" | "leaf" | "free";
  /** Which node of the traced graph it stands for: the same in all stages. */
  readonly id: number;
}

/** A graph as one stage left it, and as it is drawn. */
export interface StageView {
  readonly name: string;
  /** A sentence. */
  readonly about: string;
  /** What the boxes of the picture stand for. */
  readonly of: "ops" | "groups" | "dispatches";
  /** Positions in `ops`, by number. Of the stages that have the final graph, the same list. */
  readonly nodes: readonly number[];
  /** What each reads: numbers of nodes. */
  readonly inputs: readonly (readonly number[])[];
  /** Names of results: outputs, and states that are written. */
  readonly results: readonly { readonly name: string; readonly node: number }[];
  readonly picture: Picture;
}

/** Boxes and lines, in units of the picture; a box lies over its parent. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly PictureBox[];
  readonly lines: readonly (readonly number[])[];
}

export interface PictureBox {
  /** `s…` a part of the picture; `n12` an op, by number; `g3` a group; `d7` a dispatch. An op may have several boxes. */
  readonly id: string;
  readonly label: string;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  /** How many boxes it lies in. */
  readonly depth: number;
  readonly phase: Phase;
}

/** Ops that became one kernel, or the kernels of one op. */
export interface GroupView {
  readonly label: string;
  /** Its ops, by number in the final graph. */
  readonly nodes: readonly number[];
  /** What it stores, by number. */
  readonly stores: readonly number[];
  readonly loads: readonly number[];
  readonly dispatches: readonly number[];
  readonly phase: Phase;
  readonly schedule: string;
}

export interface DispatchView {
  readonly label: string;
  readonly kernel: number;
  readonly schedule: string;
  readonly workgroups: number;
  readonly lanes: number;
  readonly split: boolean;
  /** Several where their updates were packed into one. */
  readonly groups: readonly number[];
  readonly phase: Phase;
  readonly bindings: readonly { readonly name: string; readonly access: string; readonly bytes: number }[];
  readonly work: WorkView | null;
  readonly time?: TimeView;
  /** For each line of the kernel's texts the op that it serves, by number; -1 for none. */
  readonly irOps: readonly number[];
  readonly wgslOps: readonly number[];
}

/** What a kernel has to do: bytes, each element that it touches once, and floating-point operations. */
export interface WorkView {
  readonly reads: number;
  readonly writes: number;
  readonly flops: number;
}

/** What it took, and the roof above it. */
export interface TimeView {
  readonly ms: number;
  /** Its part of the time of all dispatches, 0 … 1. */
  readonly share: number;
  readonly binds?: string;
  /** What it would take at its roof over what it took. */
  readonly ofRoof?: number;
}

export interface KernelView {
  readonly ir: string;
  readonly wgsl: string;
}

/** Why two ops share a kernel, or don't. */
export interface PairView {
  readonly a: number;
  readonly b: number;
  readonly relation: "feeds" | "siblings" | "strangers";
  readonly fused: boolean;
  readonly rule: string;
  readonly because: string;
  readonly decided: boolean;
  /** The numbers, as `weft explain` prints them. */
  readonly numbers: readonly string[];
}

export interface MemoryView {
  /** Bytes of the arena of temporaries, and the least that this order of kernels could do with. */
  readonly peak: number;
  readonly bound: number;
  /** Bytes alive while each step runs. */
  readonly live: readonly number[];
  readonly temporaries: readonly TemporaryView[];
  readonly arenas: readonly ArenaView[];
}

export interface TemporaryView {
  readonly name: string;
  /** The op whose result it holds, by number; -1 for scratch. */
  readonly node: number;
  readonly offset: number;
  readonly bytes: number;
  /** First step that touches it, and the step after the last. */
  readonly begin: number;
  readonly end: number;
}

export interface ArenaView {
  readonly name: string;
  readonly role: string;
  readonly bytes: number;
  readonly slots: readonly {
    readonly name: string;
    readonly type: string;
    readonly offset: number;
    readonly bytes: number;
    readonly node: number;
  }[];
}
