/**
 * The kernel IR: loops, and who runs them. It knows neither ops nor WGSL.
 *
 * A kernel is a grid of *workgroups* of `lanes` lanes. Its body is a list of blocks that all lanes of a workgroup walk
 * together:
 *
 *     Uniform   computed once per workgroup: depends on the group, parameters and loop variables only
 *     Phase     run by every lane; a value computed here dies here
 *     Loop      a trip count that is the same for all lanes of the workgroup, around blocks
 *     Combine   every lane's partial results become the combined result on every lane
 *
 * What outlives a phase lives in arrays: `lane` arrays (one copy per lane: accumulators, kept rows, panels) or `shared`
 * arrays (one copy per workgroup). So barriers are nobody's business here: the emitter puts one between two phases when
 * one writes a shared array that the other touches, and they are uniform by construction. With `lanes: 1` nothing is
 * left of all this but loops.
 *
 * Inside a phase are statements over *instructions*: one operation each, bound where they stand (`Let`), in scope until
 * the end of the enclosing statement list. Literals, builtins, parameters and loop variables need no `Let`. Types are a
 * scalar type and a width of 1 or 4. Index arithmetic is i32. A vec4 load or store is at an element index that is a
 * multiple of 4.
 *
 * `interpret.ts` is the definition of what a kernel does; `verify.ts` holds every kernel to the rules above and proves
 * each access inside its array.
 */

import type { DType } from "../graph/dtype.ts";
import type { BinaryOp, UnaryOp, ValueType } from "./value.ts";

export interface IrType {
  readonly scalar: ValueType;
  readonly width: 1 | 4;
}

/** A number known at dispatch, one 32-bit word of the kernel's uniform block. Every value fed lies in [lo, hi]. */
export interface ParamDecl {
  readonly name: string;
  readonly scalar: ValueType;
  readonly lo: number;
  readonly hi: number;
  /** Every value fed is a multiple of it: what lets a vec4 be loaded at an offset. 1 unless stated. */
  readonly multiple?: number;
}

export type Access = "read" | "write" | "read_write";

export interface BufferDecl {
  readonly name: string;
  readonly dtype: DType;
  /** Elements. */
  readonly size: number;
  readonly access: Access;
}

export interface ArrayDecl {
  readonly name: string;
  readonly space: "lane" | "shared";
  readonly type: IrType;
  readonly length: number;
  /** Lane arrays without dynamic indices become registers. A dynamic one is private memory. Shared: always true. */
  readonly dynamic: boolean;
}

/** The variable of a `Loop` or a `For`. */
export interface LoopVar {
  readonly kind: "loop";
  readonly type: IrType;
  readonly name: string;
}

export interface Literal {
  readonly kind: "literal";
  readonly type: IrType;
  readonly value: number;
  /** Bits of a float literal, as an f32: NaN payloads and −0 survive. */
  readonly bits: number;
}
export interface Builtin {
  readonly kind: "builtin";
  readonly type: IrType;
  /** Linear workgroup index, or lane within the workgroup; both i32. */
  readonly name: "group" | "lane";
}
export interface ParamRead {
  readonly kind: "param";
  readonly type: IrType;
  readonly name: string;
}

/** Operands that need no `Let`. */
export type Atom = Literal | Builtin | ParamRead | LoopVar;

export interface UnaryInstr {
  readonly kind: "unary";
  readonly type: IrType;
  readonly op: UnaryOp;
  readonly arg: Instr;
}
export interface BinaryInstr {
  readonly kind: "binary";
  readonly type: IrType;
  readonly op: BinaryOp;
  readonly a: Instr;
  readonly b: Instr;
}
export interface SelectInstr {
  readonly kind: "select";
  readonly type: IrType;
  /** bool of the same width. */
  readonly condition: Instr;
  readonly then: Instr;
  readonly otherwise: Instr;
}
export interface CastInstr {
  readonly kind: "cast" | "bitcast";
  readonly type: IrType;
  readonly arg: Instr;
}
export interface LoadInstr {
  readonly kind: "load";
  readonly type: IrType;
  readonly buffer: string;
  /** Element index; for width 4 a multiple of 4, and elements index … index + 3 are read. */
  readonly index: Instr;
}
export interface ReadInstr {
  readonly kind: "read";
  readonly type: IrType;
  readonly array: ArrayDecl;
  readonly index: Instr;
}
export interface SplatInstr {
  readonly kind: "splat";
  readonly type: IrType;
  readonly arg: Instr;
}
export interface ComponentInstr {
  readonly kind: "component";
  readonly type: IrType;
  readonly arg: Instr;
  readonly index: 0 | 1 | 2 | 3;
}
export interface ConstructInstr {
  readonly kind: "construct";
  readonly type: IrType;
  readonly args: readonly [Instr, Instr, Instr, Instr];
}

/** What a `Let` binds. Identity is the object. */
export type Computed =
  | UnaryInstr
  | BinaryInstr
  | SelectInstr
  | CastInstr
  | LoadInstr
  | ReadInstr
  | SplatInstr
  | ComponentInstr
  | ConstructInstr;

export type Instr = Atom | Computed;

export interface Let {
  readonly kind: "let";
  readonly instr: Computed;
}
export interface Store {
  readonly kind: "store";
  readonly buffer: string;
  /** Element index; a multiple of 4 where the value has width 4. */
  readonly index: Instr;
  readonly value: Instr;
}
export interface SetArray {
  readonly kind: "set";
  readonly array: ArrayDecl;
  readonly index: Instr;
  readonly value: Instr;
}
/** for (v = from; v < to; v += step): bounds may differ between lanes. */
export interface For {
  readonly kind: "for";
  readonly variable: LoopVar;
  readonly from: Instr;
  readonly to: Instr;
  readonly step: number;
  readonly body: readonly Statement[];
}
export interface If {
  readonly kind: "if";
  readonly condition: Instr;
  readonly then: readonly Statement[];
  readonly otherwise: readonly Statement[];
}
export type Statement = Let | Store | SetArray | For | If;

export interface Uniform {
  readonly kind: "uniform";
  /** Lets that depend on the group, parameters, literals and enclosing loop variables only; in scope for the rest of the list. */
  readonly lets: readonly Let[];
}
export interface Phase {
  readonly kind: "phase";
  readonly body: readonly Statement[];
}
export interface Loop {
  readonly kind: "loop";
  readonly variable: LoopVar;
  /** from ≤ v < to, by step; the same for all lanes. */
  readonly from: Instr;
  readonly to: Instr;
  readonly step: number;
  readonly body: readonly Block[];
}

/**
 * How partial results of lanes are put together. Pairs and triples are states over several arrays:
 * `argmax`/`argmin` (value, index), `maxSumExp` (maximum, sum of exponentials relative to it),
 * `moments` (count, mean, sum of squared deviations; Chan et al. 1979).
 */
export type CombineOp =
  | "sum"
  | "prod"
  | "max"
  | "min"
  | "maxFast"
  | "minFast"
  | "argmax"
  | "argmin"
  | "maxSumExp"
  | "moments";

/**
 * After it, element i of each lane array holds, on every lane, the combination over the lanes with the same
 * floor(lane / across), in a fixed order. `across` divides `lanes` and is a power of two.
 */
export interface Combine {
  readonly kind: "combine";
  readonly op: CombineOp;
  /** One lane array per component of the state, equal lengths. */
  readonly arrays: readonly ArrayDecl[];
  readonly across: number;
}
export type Block = Uniform | Phase | Loop | Combine;

export interface Kernel {
  readonly lanes: number;
  /** Upper bound of the grid: groups 0 … groups − 1. */
  readonly groups: number;
  readonly params: readonly ParamDecl[];
  readonly buffers: readonly BufferDecl[];
  readonly arrays: readonly ArrayDecl[];
  readonly body: readonly Block[];
}

export const i32: IrType = { scalar: "i32", width: 1 };
export const f32: IrType = { scalar: "f32", width: 1 };
export const bool: IrType = { scalar: "bool", width: 1 };
export const wide = (scalar: ValueType, width: 1 | 4): IrType => ({ scalar, width });

export const isAtom = (instr: Instr): instr is Atom =>
  instr.kind === "literal" || instr.kind === "builtin" || instr.kind === "param" || instr.kind === "loop";

/** The operands of a computed instruction. */
export function operandsOf(instr: Instr): readonly Instr[] {
  switch (instr.kind) {
    case "literal":
    case "builtin":
    case "param":
    case "loop":
      return [];
    case "unary":
    case "cast":
    case "bitcast":
    case "splat":
    case "component":
      return [instr.arg];
    case "binary":
      return [instr.a, instr.b];
    case "select":
      return [instr.condition, instr.then, instr.otherwise];
    case "load":
    case "read":
      return [instr.index];
    case "construct":
      return instr.args;
  }
}

const float = new Float32Array(1);
const word = new Int32Array(float.buffer);

/** A scalar literal; a float is rounded, an integer wraps, a bool is 0 or 1. */
export function literal(scalar: ValueType, value: number): Literal {
  if (scalar === "f32" || scalar === "f16") {
    float[0] = scalar === "f16" ? Math.f16round(value) : value;
    return { kind: "literal", type: wide(scalar, 1), value: float[0]!, bits: word[0]! };
  }
  const exact = scalar === "i32" ? value | 0 : scalar === "u32" ? value >>> 0 : value !== 0 ? 1 : 0;
  return { kind: "literal", type: wide(scalar, 1), value: exact, bits: exact | 0 };
}
