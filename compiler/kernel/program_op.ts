/**
 * Ops whose result is not a value: they bring kernels of their own (SCHEDULES §8), still with readers and a writer, so
 * that producers inline into them and results can be stored through a layout.
 */

import type { BufferRef, ConcreteType, Reader, Value, Values } from "./value.ts";
import type { Kernel } from "./ir.ts";
import type { Target } from "../target.ts";

/** One kernel of a program op, over buffers named by `BufferRef.name`. */
export interface PlannedKernel {
  readonly kernel: Kernel;
  readonly groups: number;
  /** Values of the kernel's parameters by name. */
  readonly params: Readonly<Record<string, number>>;
  readonly label: string;
  readonly split: boolean;
}

/** Where one result goes: the buffer, and the element index for a result index. */
export interface Writer extends ConcreteType {
  readonly buffer: BufferRef;
  at(index: readonly Value[]): Value;
}

export interface ProgramSite<Attrs> {
  readonly attrs: Attrs;
  readonly inputs: readonly Reader[];
  readonly outputs: readonly Writer[];
  readonly values: Values;
  readonly target: Target;
  /** A scratch buffer that lives during this op only. */
  scratch(dtype: ConcreteType["dtype"], size: number): BufferRef;
}

export interface KernelProgram<Attrs> {
  /** Which inputs may be inlined (their producer's value read in place); others are stored buffers. */
  readonly inlines: readonly boolean[] | "all";
  plan(site: ProgramSite<Attrs>): readonly PlannedKernel[];
}
