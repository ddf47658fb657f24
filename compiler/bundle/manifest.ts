/**
 * What a bundle's `manifest.json` holds. `manifest.schema.json` says the same in JSON Schema, for hosts in other
 * languages; a test holds the two together.
 *
 *     kernels     texts, each once, whatever programs run them
 *     tensors     what the weight files hold: first contents of states, and constants
 *     variants    the same programs for devices with more or fewer features, the most demanding first; a host takes the
 *                 first that its device can run
 *     programs    one per choice of sizes: memory, and the steps of a run in order
 *
 * A host needs no more than this: allocate the arenas with zeros, write the tensors to their ranges, and per run write
 * the inputs, do the steps, read the outputs. All numbers of bytes are plain; 64-bit values do not occur.
 * @module
 */

import type { DType } from "../graph/dtype.ts";

/** Goes up when a host for the version before would misread a manifest. */
export const manifestVersion = 2;

/** Tensors longer than this have one hash per piece of this many bytes, so that a stream can be checked as it comes. */
export const pieceBytes = 4 * 2 ** 20;

/** A range of an arena: the arena's index, an offset in bytes (a multiple of 256), a length in bytes. */
export type Range = readonly [arena: number, offset: number, bytes: number];

export interface Manifest {
  readonly $schema: string;
  readonly format: "weft-bundle";
  readonly version: typeof manifestVersion;
  readonly name: string;
  readonly generator: string;
  /** A training bundle changes parameters in its runs. */
  readonly kind: "inference" | "training";
  /** The choices of named sizes; program i of every variant is for choice i. */
  readonly sizes: readonly Readonly<Record<string, number>>[];
  /** A size that may be smaller than `sizes` says: then tensors marked `open` have so many fewer leading rows. */
  readonly open?: string;
  readonly inputs: readonly BundleTensor[];
  readonly outputs: readonly BundleTensor[];
  readonly state: readonly BundleState[];
  readonly weights: readonly WeightFile[];
  readonly tensors: readonly StoredTensor[];
  readonly kernels: readonly BundleKernel[];
  readonly variants: readonly Variant[];
  readonly selfTest?: { readonly file: string; readonly sha256: string };
}

/** An input or output; a dimension is a number, or a polynomial of named sizes such as `batch` or `2*batch`. */
export interface BundleTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly (number | string)[];
  /** Its leading axis is a multiple of the open size. */
  readonly open?: true;
  /** Of an output, where there is a self-test; null where rounding alone decides, so that nothing can be said. */
  readonly tolerance?: Tolerance | null;
}

/**
 * How far an element x of the self-test's run may be from its right value y: |x − y| ≤ absolute + relative · |y|. It is
 * derived from the graph and the self-test's inputs (`self_test.ts`), and so holds for that run.
 */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

export interface BundleState {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly role: "parameter" | "state";
  /** The tensor that it starts as; zeros where there is none. */
  readonly tensor?: number;
  /** As an output's, where the self-test's run changes it. */
  readonly tolerance?: Tolerance | null;
}

export interface WeightFile {
  readonly file: string;
  readonly bytes: number;
  /** The file's first bytes, up to where tensors begin. */
  readonly header: { readonly bytes: number; readonly sha256: string };
}

export type FileType = "F32" | "F16" | "I32" | "U32" | "BOOL";

/** A tensor of a weight file, in the order in which they lie there. */
export interface StoredTensor {
  /** Its name in the file. */
  readonly name: string;
  /** What a device holds; where the file has F16 for f32, or BOOL for bool, a host widens it. */
  readonly dtype: DType;
  readonly fileType: FileType;
  readonly elements: number;
  /** Index into `weights`. */
  readonly file: number;
  /** Where it begins in the file, counted from the file's first byte, and its bytes there. */
  readonly offset: number;
  readonly bytes: number;
  /** One per started piece of 4 MiB. */
  readonly sha256: readonly string[];
}

export interface BundleKernel {
  readonly file: string;
  /** Of the text without the lines at its top that begin with `//`. */
  readonly sha256: string;
  /** Invocations of a workgroup along x, y and z. */
  readonly workgroup: readonly [number, number, number];
  /** Bytes of workgroup memory. */
  readonly shared: number;
  /** Storage buffers at bindings 0, 1, … of group 0, and the least bytes that must be bound to each. */
  readonly bindings: readonly { readonly access: "read" | "read_write"; readonly bytes: number }[];
  /** Bytes of the uniform block, which is the last binding; 0: there is none. */
  readonly uniforms: number;
  /** Most workgroups that a dispatch may have; every access is inside the bindings for these. */
  readonly groups: number;
}

export interface Variant {
  readonly features: readonly string[];
  /** The least that the device's limits must be, by WebGPU's names. */
  readonly limits: Readonly<Record<string, number>>;
  /** The least that the adapter's info must say, by WebGPU's names; nothing where no kernel asks a subgroup. */
  readonly info?: { readonly subgroupMinSize: number };
  /** Kernels that must each fill their one buffer with ones, or the device can't run this variant (`subgroup_probe.ts`). */
  readonly probes?: readonly number[];
  readonly programs: readonly BundleProgram[];
}

export interface BundleArena {
  readonly role: "state" | "temporary" | "input" | "output" | "constant";
  readonly bytes: number;
  /** For states: which memory it is. Arenas of several programs with the same number are one. */
  readonly memory?: number;
}

export interface BundleProgram {
  readonly arenas: readonly BundleArena[];
  /** Temporaries: the plan's peak, and the least that any plan for this order needs. */
  readonly memory: { readonly peak: number; readonly bound: number };
  /** In the order of the manifest's lists. Bytes are those of the tensor itself. */
  readonly inputs: readonly Range[];
  readonly outputs: readonly Range[];
  readonly state: readonly Range[];
  readonly constants: readonly { readonly tensor: number; readonly at: Range }[];
  readonly steps: readonly BundleStep[];
}

export interface DispatchStep {
  readonly kernel: number;
  /** Workgroups along x and y. */
  readonly grid: readonly [number, number];
  /**
   * Workgroups along x come in blocks of `block`, and `blocks` of them in a row make `rows` rows of the open size: n rows
   * need n · blocks / rows blocks, rounded up. All run where this is not said.
   */
  readonly open?: readonly [block: number, blocks: number, rows: number];
  readonly bindings: readonly Range[];
  /** The words of the uniform block. */
  readonly uniforms: readonly number[];
  /** Scope and ops. */
  readonly label: string;
}

/** A copy between ranges of equal length. */
export interface CopyStep {
  readonly from: Range;
  readonly to: Range;
}

export type BundleStep = DispatchStep | CopyStep;

export const isCopy = (step: BundleStep): step is CopyStep => "from" in step;

/** What `selftest.json` holds: one run from the bundle's own state, and what it must give. */
export interface SelfTest {
  /** Index into the manifest's `sizes`. */
  readonly program: number;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: readonly ExpectedTensor[];
  readonly state: readonly ExpectedTensor[];
  /** Tensors of which nothing can be said, and why. */
  readonly unchecked: Readonly<Record<string, string>>;
}

/** Some elements of a tensor after the run; how far they may be off, the manifest says. `null` is NaN. */
export interface ExpectedTensor {
  readonly name: string;
  readonly indices: readonly number[];
  readonly values: readonly JsonNumber[];
}

export type JsonNumber = number | null | "inf" | "-inf";
