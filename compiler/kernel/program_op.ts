/**
 * Ops whose result is not a value: they bring kernels of their own (SCHEDULES §8), still with readers and writers, so
 * that producers inline into them and results can be stored through a layout.
 */

import type { BufferRef, ConcreteType, Reader, Value } from "./value.ts";
import type { Values } from "./values.ts";
import type { AnyScheduled } from "./raw.ts";
import type { Target } from "../target.ts";

/** Where one result goes: the buffer, and the element of it for an index of the result. */
export interface Writer extends ConcreteType {
  readonly buffer: BufferRef;
  at(index: readonly Value[]): Value;
}

/** Inputs that the memory plan has laid side by side: they can be read as one long vector. */
export interface SideBySide {
  readonly buffer: BufferRef;
  /** Positions among the op's inputs. */
  readonly inputs: readonly number[];
  /** Elements that belong to the inputs, ascending and disjoint; what lies between belongs to nobody. */
  readonly ranges: readonly { readonly begin: number; readonly end: number }[];
}

export interface ProgramSite<Attrs> {
  readonly attrs: Attrs;
  readonly inputs: readonly Reader[];
  /** Slabs that hold nothing but inputs of this op; each input lies in one at most. */
  readonly sideBySide: readonly SideBySide[];
  readonly outputs: readonly Writer[];
  /** The table that readers and writers make their values in. */
  readonly values: Values;
  readonly target: Target;
  /** Scope and op, for traces and reports; a program adds what each of its kernels does. */
  readonly label: string;
  /** A buffer that lives during this op only. A kernel names those it touches in its own `scratch`. */
  scratch(dtype: ConcreteType["dtype"], size: number): BufferRef;
}

export interface KernelProgram<Attrs> {
  /** Which inputs may be inlined (their producer's value read in place); others are stored buffers. */
  readonly inlines: readonly boolean[] | "all";
  /** The kernels, in the order in which they run. */
  plan(site: ProgramSite<Attrs>): readonly AnyScheduled[];
}
