/**
 * Values: what an output element *is*. Pure, interned, with no notion of who computes it when (SCHEDULES §1).
 *
 * An op lowers to a value by reading its inputs at index values. A reduction is a node that binds variables; asking for
 * one makes no loop. Whether a value is elementwise, a row, a contraction or in place is read off three things that
 * every node carries: its free variables, its range (integers), and the normal form of its index arithmetic.
 *
 * Integer index arithmetic has one normal form, `Linear`: Σ coefficient · atom + constant, where an atom is any other
 * i32 value. "Contiguous along j", "same index" and "inside the buffer" are questions to that form. Division and
 * remainder by a literal simplify against it, so that a reshape of a reshape leaves no trace.
 */

import type { DType } from "../graph/dtype.ts";

/**
 * Types a value can have. f16 is a storage type: it is widened where it is loaded (SEMANTICS §6). Values of f16 occur only
 * where arithmetic of halves was asked for (half.ts).
 */
export type ValueType = "f32" | "f16" | "i32" | "u32" | "bool";

/** The types of what is in memory, once it is loaded. */
export type LoadedType = Exclude<ValueType, "f16">;

export const valueType = (dtype: DType): LoadedType => dtype === "f16" ? "f32" : dtype;

/** A tensor whose sizes are all known. */
export interface ConcreteType {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** What a load reads from. Identity is the name. */
export interface BufferRef {
  readonly name: string;
  readonly dtype: DType;
  /** Elements. */
  readonly size: number;
  /** So many parts of a result's sum, one after the other, each of which lies as the result does (contraction/split_k.ts). */
  readonly parts?: number;
}

export type UnaryOp =
  | "neg"
  | "abs"
  | "exp"
  | "exp2"
  | "log"
  | "log2"
  | "sqrt"
  | "inverseSqrt"
  | "sin"
  | "cos"
  | "tanh"
  | "floor"
  | "ceil"
  | "round"
  | "trunc"
  | "not"
  | "bitNot";

/** `max` and `min` are the bare ones of the target: what they do with NaN is undefined (see numerics.ts). */
export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "rem"
  | "max"
  | "min"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr"
  | "lt"
  | "le"
  | "eq"
  | "ne";

/**
 * How a reduction combines. `max`/`min` propagate NaN; `maxFast`/`minFast` may ignore it and are used where the result
 * is NaN anyway. `argmax`/`argmin` give the index of the first extreme (the first NaN, if any). On bool, `max` is any
 * and `min` is all.
 */
export type ReduceKind = "sum" | "prod" | "max" | "min" | "maxFast" | "minFast" | "argmax" | "argmin";

/** Functions of floats that no machine does in one step, as it does arithmetic: what counts and models of cost set apart. */
export const slowFunctions: ReadonlySet<UnaryOp> = new Set([
  ...["exp", "exp2", "log", "log2"] as const,
  ...["sqrt", "inverseSqrt", "sin", "cos", "tanh"] as const,
]);

export const isFloating = (type: ValueType): boolean => type === "f32" || type === "f16";

/** The number that changes nothing: where an accumulator starts, and what nothing reduces to (SEMANTICS §3). */
export function identityOf(op: ReduceKind, type: ValueType): number {
  switch (op) {
    case "sum":
      return 0;
    case "prod":
      return 1;
    case "max":
    case "maxFast":
    case "argmax":
      return isFloating(type) ? -Infinity : type === "i32" ? -(2 ** 31) : 0;
    case "min":
    case "minFast":
    case "argmin":
      return isFloating(type) ? Infinity : type === "i32" ? 2 ** 31 - 1 : type === "u32" ? 2 ** 32 - 1 : 1;
  }
}

interface Common {
  readonly id: number;
  readonly type: ValueType;
  readonly free: ReadonlySet<Var>;
  /** Inclusive range of an i32 value; ±Infinity where nothing is known. Meaningless for other types. */
  readonly lo: number;
  readonly hi: number;
}

export interface Const extends Common {
  readonly kind: "const";
  /** Exact value; of a float already rounded. */
  readonly value: number;
  /** Bits, where NaN payloads or −0 matter to identity. */
  readonly bits: number;
}
/** A number known when the kernel is dispatched, the same for all lanes. */
export interface Param extends Common {
  readonly kind: "param";
  readonly name: string;
  /** Its value in this use of the kernel. Two uses that differ only here share one kernel. */
  readonly value: number;
}
/** A loop or grid variable: 0 ≤ v < extent. */
export interface Var extends Common {
  readonly kind: "var";
  readonly extent: number;
  readonly slot: number;
}
export interface Linear extends Common {
  readonly kind: "linear";
  readonly terms: readonly { readonly atom: Value; readonly coefficient: number }[];
  readonly constant: number;
}
/** floor(a / divisor) or a − divisor·floor(a / divisor), by a positive literal. */
export interface DivMod extends Common {
  readonly kind: "div" | "mod";
  readonly arg: Value;
  readonly divisor: number;
}
export interface Unary extends Common {
  readonly kind: "unary";
  readonly op: UnaryOp;
  readonly arg: Value;
}
export interface Binary extends Common {
  readonly kind: "binary";
  readonly op: BinaryOp;
  readonly a: Value;
  readonly b: Value;
}
export interface Select extends Common {
  readonly kind: "select";
  readonly condition: Value;
  readonly then: Value;
  readonly otherwise: Value;
}
export interface Cast extends Common {
  readonly kind: "cast" | "bitcast";
  readonly arg: Value;
}
export interface Load extends Common {
  readonly kind: "load";
  readonly buffer: BufferRef;
  /** Element index, through the buffer's layout. */
  readonly index: Value;
}
/** `value` where the condition holds, else `otherwise`; loads inside `value` need be in bounds only where it holds. */
export interface Guard extends Common {
  readonly kind: "guard";
  readonly condition: Value;
  readonly value: Value;
  readonly otherwise: Value;
}
export interface Reduce extends Common {
  readonly kind: "reduce";
  readonly op: ReduceKind;
  readonly vars: readonly Var[];
  readonly body: Value;
}
/** The same over variable ≤ upTo (or < upTo when exclusive): cumulative ops. */
export interface Prefix extends Common {
  readonly kind: "prefix";
  readonly op: ReduceKind;
  readonly variable: Var;
  readonly body: Value;
  readonly upTo: Value;
  readonly exclusive: boolean;
  /** Where it holds, what came before the element is forgotten: sums of segments. Inclusive ones only. */
  readonly restart: Value | undefined;
}

export type Value =
  | Const
  | Param
  | Var
  | Linear
  | DivMod
  | Unary
  | Binary
  | Select
  | Cast
  | Load
  | Guard
  | Reduce
  | Prefix;

/** Reads a tensor at an index: inlined from its producer, or loaded. Memoised on the index by whoever makes it. */
export interface Reader extends ConcreteType {
  at(index: readonly Value[]): Value;
}

/** A number stands for a constant of the other operand's type. */
export type Operand = Value | number;

/** The children of a value, for walks. */
export function childrenOf(value: Value): readonly Value[] {
  switch (value.kind) {
    case "const":
    case "param":
    case "var":
      return [];
    case "linear":
      return value.terms.map((t) => t.atom);
    case "div":
    case "mod":
    case "unary":
    case "cast":
    case "bitcast":
      return [value.arg];
    case "binary":
      return [value.a, value.b];
    case "select":
      return [value.condition, value.then, value.otherwise];
    case "load":
      return [value.index];
    case "guard":
      return [value.condition, value.value, value.otherwise];
    case "reduce":
      return [value.body];
    case "prefix":
      return value.restart ? [value.body, value.upTo, value.restart] : [value.body, value.upTo];
  }
}

/** Visits every node once, children first. */
export function walk(roots: readonly Value[], visit: (value: Value) => void): void {
  const seen = new Set<Value>();
  const go = (value: Value) => {
    if (seen.has(value)) return;
    seen.add(value);
    for (const child of childrenOf(value)) go(child);
    visit(value);
  };
  for (const root of roots) go(root);
}

/** The variables that are free in any of some values; the set of one of them where it holds those of the others. */
export function unionOfFree(values: readonly Value[]): ReadonlySet<Var> {
  let all: ReadonlySet<Var> = new Set();
  for (const { free } of values) {
    if (free.size === 0 || free === all) continue;
    if (all.size === 0) all = free;
    else if (![...free].every((v) => all.has(v))) all = new Set([...all, ...free]);
  }
  return all;
}
