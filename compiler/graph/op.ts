/**
 * What an op is: six statements about it in one place (DESIGN §4). Everything else in the compiler is general.
 *
 * `reference` and `lower` say the same thing twice, independently: the tests compare them, so neither may be written
 * in terms of the other.
 */

import type { HostArray } from "./dtype.ts";
import type { Tensor, TensorType } from "./node.ts";
import type { ConcreteType, Reader, Value } from "../kernel/value.ts";
import type { Values } from "../kernel/values.ts";
import type { KernelProgram } from "../kernel/program_op.ts";

/** Reverse mode asks an op for the cotangents of its inputs, given those of its results. */
export interface GradientSite<Attrs> {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** One per result; null where nothing flows into that result. */
  readonly cotangents: readonly (Tensor | null)[];
  readonly attrs: Attrs;
}

/** Why an op has no gradient, as a sentence for the user who asked for one. */
export interface NotDifferentiable {
  readonly notDifferentiable: string;
}

/** The gradient of a composite whose kernels give results only: that of its `expand`, in plain ops. */
export interface ByExpansion {
  readonly byExpansion: true;
}

/** What `lower` is told: concrete shapes only. */
export interface LowerSite<Attrs> {
  readonly attrs: Attrs;
  readonly inputs: readonly ConcreteType[];
  readonly outputs: readonly ConcreteType[];
  /** Which result is asked for. */
  readonly result: number;
  /**
   * For an op with an attribute `stream`: the kernel parameter (u32) that holds it (SEMANTICS §5). A parameter and not a
   * literal, so that equal layers share a kernel; one per node.
   */
  readonly stream: Value;
}

/** The value of one output element: readers of the inputs, read at index values computed from `at`. */
export type Pull<Attrs> = (
  k: Values,
  inputs: readonly Reader[],
  at: readonly Value[],
  site: LowerSite<Attrs>,
) => Value;

export interface Sample<Attrs> {
  readonly inputs: readonly SampleInput[];
  readonly attrs: Attrs;
  readonly note?: string;
}

/** Input of a sample: drawn uniformly from [lo, hi) (integers too; bool: fair), or the values given. */
export interface SampleInput {
  readonly shape: readonly number[];
  readonly dtype?: TensorType["dtype"];
  readonly lo?: number;
  readonly hi?: number;
  readonly values?: readonly number[];
}

export interface Op<Attrs> {
  readonly name: string;
  /** Types of the results; throws a ShapeError naming the op, the shapes and the axis. */
  infer(inputs: readonly TensorType[], attrs: Attrs): readonly TensorType[];
  /** One cotangent per input (null: none flows), or why there is no gradient. */
  readonly gradient:
    | ((site: GradientSite<Attrs>) => readonly (Tensor | null)[])
    | NotDifferentiable
    | ByExpansion;
  /** The meaning, in plain loops over dense row-major host arrays (f64 for float dtypes). */
  reference(
    inputs: readonly HostArray[],
    attrs: Attrs,
    types: { readonly inputs: readonly ConcreteType[]; readonly outputs: readonly ConcreteType[] },
  ): readonly HostArray[];
  /** The value at one output index, or a program of kernels where a result is not a value. */
  readonly lower: Pull<Attrs> | KernelProgram<Attrs>;
  /** For composites: the same result in plain ops. */
  readonly expand?: (inputs: readonly Tensor[], attrs: Attrs) => readonly Tensor[];
  /** Names of the attributes that hold dimensions (a Dim or an array of them), so that sizes can be bound. */
  readonly dims?: readonly (keyof Attrs & string)[];
  /**
   * A pure map of indices: the result is an input read elsewhere. Views are never stored for their own sake.
   */
  readonly view?: boolean;
  /**
   * Of any number of operands, and f(a, b, c) is f(f(a, b), c) to the last bit: where a kernel can't bind them all, it
   * is cut into several.
   */
  readonly associative?: boolean;
  /**
   * The result is wanted in memory: it is the last thing that its kernel computes of it, and all that use it load it.
   */
  readonly barrier?: boolean;
  /** Error of one result element as a multiple of ULP of its magnitude, beyond rounding (SEMANTICS §10). */
  readonly ulp?: number;
  /** The same where the target's own functions are used (`Target.builtins`), by the result. */
  readonly builtinUlp?: (result: number) => number;
  /** Terms summed into one result element; the error grows with them (n·ε·Σ|x|). */
  readonly terms?: (inputs: readonly ConcreteType[], attrs: Attrs) => number;
  /**
   * Numbers of inputs that are subtracted inside the op. They count for the size of its sums with the other sign, since
   * what cancels still leaves its rounding behind.
   */
  readonly opposed?: readonly number[];
  /**
   * A small move of an input may move results by much (floor, compare, argmax): see SEMANTICS §10. A function tells it
   * of each result: what sort puts in order moves as its input does, and only the indices jump.
   */
  readonly jumps?: boolean | ((attrs: Attrs, result: number) => boolean);
  readonly samples: readonly Sample<Attrs>[];
}

export const isProgram = <Attrs>(lower: Pull<Attrs> | KernelProgram<Attrs>): lower is KernelProgram<Attrs> =>
  typeof lower !== "function";
