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
import type { Node } from "../graph/node.ts";
import { InternalError } from "../errors.ts";

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

const none: ReadonlySet<Var> = new Set();
const unknown = { lo: -Infinity, hi: Infinity };
const float = new Float32Array(1);
const bitsOf = new Int32Array(float.buffer);

const comparisons: ReadonlySet<BinaryOp> = new Set(["lt", "le", "eq", "ne"]);

function union(values: readonly Value[]): ReadonlySet<Var> {
  let all: ReadonlySet<Var> = none;
  for (const { free } of values) {
    if (free.size === 0 || free === all) continue;
    if (all.size === 0) all = free;
    else if (![...free].every((v) => all.has(v))) all = new Set([...all, ...free]);
  }
  return all;
}

function without(free: ReadonlySet<Var>, bound: readonly Var[]): ReadonlySet<Var> {
  if (!bound.some((v) => free.has(v))) return free;
  const rest = new Set(free);
  for (const v of bound) rest.delete(v);
  return rest;
}

/** Which of WGSL's own functions may stand for an expansion (numerics.ts), because the device was seen to be exact enough. */
export interface Builtins {
  /** Within 3 + |x| ULP; ∞ above the range, 0 below it. */
  readonly exp: boolean;
}

const noBuiltins: Builtins = { exp: false };

/**
 * An interning table of values: equal nodes are one node, so common sub-expressions cost nothing.
 *
 * One table serves one group (or one compile); it holds no state but the table.
 */
export class Values {
  readonly #table = new Map<string, Value>();
  #maker: Node | undefined;

  /** @param makers Where it is noted which op each value was first made for, if somebody wants to know. */
  constructor(readonly builtins: Builtins = noBuiltins, readonly makers?: Map<Value, Node>) {}

  /** Runs `f`, whose new values are made for an op. */
  madeFor<T>(maker: Node | undefined, f: () => T): T {
    if (this.makers === undefined) return f();
    const outer = this.#maker;
    this.#maker = maker;
    const made = f();
    this.#maker = outer;
    return made;
  }

  /** Nodes made so far. */
  get size(): number {
    return this.#table.size;
  }

  #intern<V extends Value>(
    key: string,
    type: ValueType,
    free: ReadonlySet<Var>,
    range: { lo: number; hi: number },
    rest: Omit<V, keyof Common>,
  ): V {
    const known = this.#table.get(key);
    if (known) return known as V;
    const value = { id: this.#table.size, type, free, lo: range.lo, hi: range.hi, ...rest } as unknown as V;
    this.#table.set(key, value);
    if (this.#maker) this.makers!.set(value, this.#maker);
    return value;
  }

  // ---- leaves ------------------------------------------------------------------------------------------------

  const(value: number | boolean, type: ValueType = "f32"): Const {
    let x = Number(value);
    let bits: number;
    if (isFloating(type)) {
      float[0] = type === "f16" ? Math.f16round(x) : x;
      x = float[0]!;
      bits = bitsOf[0]!;
    } else {
      x = type === "i32" ? x | 0 : type === "u32" ? x >>> 0 : x !== 0 ? 1 : 0;
      bits = x | 0;
    }
    return this.#intern<Const>(`c${type}${bits}`, type, none, { lo: x, hi: x }, {
      kind: "const",
      value: x,
      bits,
    });
  }

  /** An i32 constant. */
  int(value: number): Const {
    return this.const(value, "i32");
  }

  /** A constant of a tensor's dtype, as a JS number meets it. */
  of(value: number, like: Value): Const {
    return this.const(value, like.type);
  }

  param(name: string, type: ValueType, value: number, range: { lo: number; hi: number } = unknown): Param {
    return this.#intern<Param>(`p${name}:${type}`, type, none, range, { kind: "param", name, value });
  }

  var(extent: number, slot: number): Var {
    const key = `v${extent}_${slot}`;
    const known = this.#table.get(key);
    if (known) return known as Var;
    const free = new Set<Var>();
    const v = this.#intern<Var>(key, "i32", free, { lo: 0, hi: Math.max(0, extent - 1) }, {
      kind: "var",
      extent,
      slot,
    });
    free.add(v);
    return v;
  }

  /** One variable per axis: equal extents take consecutive slots. Axes of size 1 are the constant 0. */
  axes(shape: readonly number[]): Value[] {
    const used = new Map<number, number>();
    return shape.map((extent) => {
      if (extent === 1) return this.int(0);
      const slot = used.get(extent) ?? 0;
      used.set(extent, slot + 1);
      return this.var(extent, slot);
    });
  }

  load(buffer: BufferRef, index: Value): Load {
    const type = valueType(buffer.dtype);
    return this.#intern<Load>(`l${buffer.name}[${index.id}]`, type, index.free, unknown, {
      kind: "load",
      buffer,
      index,
    });
  }

  // ---- arithmetic on elements --------------------------------------------------------------------------------

  unary(op: UnaryOp, arg: Value): Value {
    const type = op === "not" ? "bool" : arg.type;
    const range = type === "i32" && op === "neg" ? { lo: -arg.hi, hi: -arg.lo } : unknown;
    return this.#intern<Unary>(`u${op}(${arg.id})`, type, arg.free, range, { kind: "unary", op, arg });
  }

  binary(op: BinaryOp, left: Operand, right: Operand): Value {
    const a = typeof left === "number" ? this.of(left, right as Value) : left;
    const b = typeof right === "number" ? this.of(right, a) : right;
    if (a.type !== b.type && op !== "shl" && op !== "shr") {
      throw new InternalError("values", `${op} of ${a.type} and ${b.type}`);
    }
    const type = comparisons.has(op) ? "bool" : a.type;
    let range = unknown;
    if (type === "i32") {
      if (op === "max") range = { lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
      else if (op === "min") range = { lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi) };
    }
    return this.#intern<Binary>(`b${op}(${a.id},${b.id})`, type, union([a, b]), range, {
      kind: "binary",
      op,
      a,
      b,
    });
  }

  add(a: Operand, b: Operand): Value {
    return this.binary("add", a, b);
  }
  sub(a: Operand, b: Operand): Value {
    return this.binary("sub", a, b);
  }
  mul(a: Operand, b: Operand): Value {
    return this.binary("mul", a, b);
  }
  div(a: Operand, b: Operand): Value {
    return this.binary("div", a, b);
  }
  lt(a: Operand, b: Operand): Value {
    return this.compare("lt", a, b);
  }
  le(a: Operand, b: Operand): Value {
    return this.compare("le", a, b);
  }
  eq(a: Operand, b: Operand): Value {
    return this.compare("eq", a, b);
  }
  and(a: Value, b: Value): Value {
    if (a.type === "bool") {
      if (a.kind === "const") return a.value ? b : a;
      if (b.kind === "const") return b.value ? a : b;
      if (a === b) return a;
    }
    return this.binary("and", a, b);
  }
  or(a: Value, b: Value): Value {
    if (a.type === "bool") {
      if (a.kind === "const") return a.value ? a : b;
      if (b.kind === "const") return b.value ? b : a;
    }
    return this.binary("or", a, b);
  }
  not(a: Value): Value {
    if (a.kind === "const") return this.const(a.value === 0, "bool");
    return this.unary("not", a);
  }

  /** A comparison, decided here where the ranges of two integers decide it. */
  compare(op: "lt" | "le" | "eq" | "ne", left: Operand, right: Operand): Value {
    const a = typeof left === "number" ? this.of(left, right as Value) : left;
    const b = typeof right === "number" ? this.of(right, a) : right;
    if (a.type === "i32" && b.type === "i32") {
      // Ranges of the difference see shared atoms cancel.
      const d = this.isub(a, b);
      if (op === "lt" && d.hi < 0) return this.const(true, "bool");
      if (op === "lt" && d.lo >= 0) return this.const(false, "bool");
      if (op === "le" && d.hi <= 0) return this.const(true, "bool");
      if (op === "le" && d.lo > 0) return this.const(false, "bool");
      if (d.lo > 0 || d.hi < 0) {
        if (op === "eq") return this.const(false, "bool");
        if (op === "ne") return this.const(true, "bool");
      }
      if (d.kind === "const") return this.const((op === "eq") === (d.value === 0), "bool");
    }
    return this.binary(op, a, b);
  }

  select(condition: Value, then: Operand, otherwise: Operand): Value {
    const a = typeof then === "number" ? this.of(then, otherwise as Value) : then;
    const b = typeof otherwise === "number" ? this.of(otherwise, a) : otherwise;
    if (a === b) return a;
    if (condition.kind === "const") return condition.value ? a : b;
    if (a.type !== b.type) throw new InternalError("values", `select of ${a.type} and ${b.type}`);
    const range = { lo: Math.min(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
    return this.#intern<Select>(
      `s(${condition.id},${a.id},${b.id})`,
      a.type,
      union([condition, a, b]),
      range,
      {
        kind: "select",
        condition,
        then: a,
        otherwise: b,
      },
    );
  }

  guard(condition: Value, value: Value, otherwise: Operand): Value {
    const b = typeof otherwise === "number" ? this.of(otherwise, value) : otherwise;
    if (condition.kind === "const") return condition.value ? value : b;
    if (value === b) return value;
    const range = { lo: Math.min(value.lo, b.lo), hi: Math.max(value.hi, b.hi) };
    return this.#intern<Guard>(
      `g(${condition.id},${value.id},${b.id})`,
      value.type,
      union([condition, value, b]),
      range,
      {
        kind: "guard",
        condition,
        value,
        otherwise: b,
      },
    );
  }

  /** Conversion with the semantics of SEMANTICS §6 for i32/u32/bool; float→int is made safe in numerics.ts. */
  cast(type: ValueType, arg: Value): Value {
    if (arg.type === type) return arg;
    const toInteger = isFloating(arg.type) && (type === "i32" || type === "u32");
    if (arg.kind === "const" && !toInteger) return this.const(arg.value, type);
    // Every half is an f32: there and back is where it was.
    if (type === "f16" && arg.kind === "cast" && arg.arg.type === "f16") return arg.arg;
    const range = type === "i32" && arg.type === "bool" ? { lo: 0, hi: 1 } : unknown;
    return this.#intern<Cast>(`t${type}(${arg.id})`, type, arg.free, range, { kind: "cast", arg });
  }

  bitcast(type: ValueType, arg: Value): Value {
    if (arg.type === type) return arg;
    return this.#intern<Cast>(`r${type}(${arg.id})`, type, arg.free, unknown, { kind: "bitcast", arg });
  }

  // ---- index arithmetic: the one normal form ------------------------------------------------------------------

  #linear(terms: Map<Value, number>, constant: number): Value {
    constant += recombine(this, terms);
    const list = [...terms].filter(([, c]) => c !== 0).sort(([a], [b]) => a.id - b.id)
      .map(([atom, coefficient]) => ({ atom, coefficient }));
    if (list.length === 0) return this.int(constant);
    if (list.length === 1 && constant === 0 && list[0]!.coefficient === 1) return list[0]!.atom;
    const key = `n${list.map((t) => `${t.coefficient}*${t.atom.id}`).join("+")}+${constant}`;
    const known = this.#table.get(key);
    if (known) return known;
    let lo = constant;
    let hi = constant;
    for (const { atom, coefficient } of list) {
      lo += coefficient * (coefficient > 0 ? atom.lo : atom.hi);
      hi += coefficient * (coefficient > 0 ? atom.hi : atom.lo);
    }
    return this.#intern<Linear>(key, "i32", union(list.map((t) => t.atom)), { lo, hi }, {
      kind: "linear",
      terms: list,
      constant,
    });
  }

  /** The linear form of any i32 value: itself as a single atom, if it is nothing more. */
  linearOf(value: Value): { terms: Map<Value, number>; constant: number } {
    if (value.kind === "const") return { terms: new Map(), constant: value.value };
    if (value.kind === "linear") {
      return { terms: new Map(value.terms.map((t) => [t.atom, t.coefficient])), constant: value.constant };
    }
    return { terms: new Map([[value, 1]]), constant: 0 };
  }

  /** a + b on indices. */
  iadd(a: Value, b: Value | number): Value {
    if (typeof b === "number" && b === 0) return a;
    const sum = this.linearOf(a);
    const other = typeof b === "number" ? { terms: new Map<Value, number>(), constant: b } : this.linearOf(b);
    for (const [atom, c] of other.terms) sum.terms.set(atom, (sum.terms.get(atom) ?? 0) + c);
    return this.#linear(sum.terms, sum.constant + other.constant);
  }

  isub(a: Value, b: Value | number): Value {
    return this.iadd(a, typeof b === "number" ? -b : this.imul(b, -1));
  }

  /** a · literal on indices. */
  imul(a: Value, factor: number): Value {
    if (factor === 1) return a;
    const { terms, constant } = this.linearOf(a);
    return this.#linear(new Map([...terms].map(([atom, c]) => [atom, c * factor])), constant * factor);
  }

  /** Σ coefficient · value + constant in one step (strides). */
  affine(parts: readonly (readonly [Value, number])[], constant = 0): Value {
    const terms = new Map<Value, number>();
    let offset = constant;
    for (const [value, factor] of parts) {
      const form = this.linearOf(value);
      offset += form.constant * factor;
      for (const [atom, c] of form.terms) terms.set(atom, (terms.get(atom) ?? 0) + c * factor);
    }
    return this.#linear(terms, offset);
  }

  /** floor(a / divisor): the multiples leave the division, and what remains goes if its range says 0. */
  idiv(a: Value, divisor: number): Value {
    if (divisor === 1) return a;
    const { whole, rest } = this.#splitMultiples(a, divisor);
    if (rest.lo >= 0 && rest.hi < divisor) return whole;
    // div(div(x, a), b) is div(x, a·b).
    const inner = rest.kind === "div"
      ? this.idiv(rest.arg, rest.divisor * divisor)
      : this.#divMod("div", rest, divisor);
    return this.iadd(whole, inner);
  }

  /** a − divisor · floor(a / divisor). */
  imod(a: Value, divisor: number): Value {
    if (divisor === 1) return this.int(0);
    const { rest } = this.#splitMultiples(a, divisor);
    if (rest.lo >= 0 && rest.hi < divisor) return rest;
    // mod(mod(x, k·d), d) is mod(x, d).
    if (rest.kind === "mod" && rest.divisor % divisor === 0) return this.imod(rest.arg, divisor);
    return this.#divMod("mod", rest, divisor);
  }

  /** a = divisor · whole + rest, with every term that is a multiple of the divisor in `whole`. */
  #splitMultiples(a: Value, divisor: number): { whole: Value; rest: Value } {
    const { terms, constant } = this.linearOf(a);
    const whole = new Map<Value, number>();
    const rest = new Map<Value, number>();
    for (const [atom, c] of terms) {
      (c % divisor === 0 ? whole : rest).set(atom, c % divisor === 0 ? c / divisor : c);
    }
    const quotient = Math.floor(constant / divisor);
    return { whole: this.#linear(whole, quotient), rest: this.#linear(rest, constant - quotient * divisor) };
  }

  #divMod(kind: "div" | "mod", arg: Value, divisor: number): Value {
    if (arg.kind === "const") {
      const q = Math.floor(arg.value / divisor);
      return this.int(kind === "div" ? q : arg.value - q * divisor);
    }
    // A factor of the divisor and some terms, where the others are small: (g·x + r) / (g·d) = x / d for 0 ≤ r < g.
    if (arg.kind === "linear") {
      const factors = new Set(arg.terms.map((t) => gcd(divisor, t.coefficient)).filter((g) => g > 1));
      for (const g of [...factors].sort((a, b) => b - a)) {
        const whole = arg.terms.filter((t) => t.coefficient % g === 0);
        const constant = ((arg.constant % g) + g) % g;
        const small = arg.terms.filter((t) => t.coefficient % g !== 0);
        const r = this.#linear(new Map(small.map((t) => [t.atom, t.coefficient])), constant);
        if (r.lo < 0 || r.hi >= g) continue;
        const x = this.#linear(
          new Map(whole.map((t) => [t.atom, t.coefficient / g])),
          (arg.constant - constant) / g,
        );
        if (kind === "div") return this.idiv(x, divisor / g);
        return this.iadd(this.imul(this.imod(x, divisor / g), g), r);
      }
    }
    const range = kind === "div"
      ? { lo: Math.floor(arg.lo / divisor), hi: Math.floor(arg.hi / divisor) }
      : { lo: 0, hi: divisor - 1 };
    return this.#intern<DivMod>(`${kind}(${arg.id},${divisor})`, "i32", arg.free, range, {
      kind,
      arg,
      divisor,
    });
  }

  /** min(max(a, lo), hi) on indices, gone where the range already says so. */
  iclamp(a: Value, lo: number, hi: number): Value {
    let out = a;
    if (out.lo < lo) out = this.binary("max", out, this.int(lo));
    if (out.hi > hi) out = this.binary("min", out, this.int(hi));
    return out;
  }

  // ---- binders -------------------------------------------------------------------------------------------------

  /**
   * Binds the first variable of this extent that is not free in the index it is read at. So two reductions of one row
   * at one index bind the same variable, their bodies share nodes, and nothing is captured.
   */
  fresh(extent: number, at: readonly Value[], also: readonly Value[] = []): Value {
    if (extent === 1) return this.int(0);
    const busy = union([...at, ...also]);
    for (let slot = 0;; slot++) {
      const v = this.var(extent, slot);
      if (!busy.has(v)) return v;
    }
  }

  /** Reduces `body` over new variables, one per extent; `at` is the index the op is being read at. */
  reduce(
    op: ReduceKind,
    extents: readonly number[],
    at: readonly Value[],
    body: (indices: readonly Value[]) => Value,
  ): Value {
    const vars: Value[] = [];
    for (const extent of extents) vars.push(this.fresh(extent, at, vars));
    return this.reduceOver(op, vars, body(vars));
  }

  /** Reduces over given variables (constants among them stand for axes of size 1). */
  reduceOver(op: ReduceKind, vars: readonly Value[], body: Value): Value {
    const bound = vars.filter((v): v is Var => v.kind === "var");
    const index = op === "argmax" || op === "argmin";
    if (bound.length === 0) return index ? this.int(0) : body;
    if (bound.some((v) => v.extent === 0)) {
      return index ? this.int(0) : this.of(identityOf(op, body.type), body);
    }
    const type = index ? "i32" : body.type;
    const extent = bound.reduce((n, v) => n * v.extent, 1);
    const range = index
      ? { lo: 0, hi: extent - 1 }
      : op === "max" || op === "min"
      ? { lo: body.lo, hi: body.hi }
      : unknown;
    const key = `R${op}[${bound.map((v) => v.id)}](${body.id})`;
    return this.#intern<Reduce>(key, type, without(body.free, bound), range, {
      kind: "reduce",
      op,
      vars: bound,
      body,
    });
  }

  prefix(
    op: ReduceKind,
    extent: number,
    upTo: Value,
    at: readonly Value[],
    exclusive: boolean,
    body: (i: Value) => Value,
    restart?: (i: Value) => Value,
  ): Value {
    const v = this.fresh(extent, [...at, upTo]);
    const inner = body(v);
    if (restart && exclusive) throw new InternalError("values", "an exclusive sum that restarts");
    if (v.kind !== "var") return exclusive ? this.of(identityOf(op, inner.type), inner) : inner;
    return this.#prefixOver(op, v, inner, upTo, exclusive, restart?.(v));
  }

  #prefixOver(
    op: ReduceKind,
    variable: Var,
    body: Value,
    upTo: Value,
    exclusive: boolean,
    restart: Value | undefined,
  ): Prefix {
    const free = new Set(without(union(restart ? [body, restart] : [body]), [variable]));
    for (const v of upTo.free) free.add(v);
    const key = `P${op}${exclusive ? "x" : ""}[${variable.id},${upTo.id}](${body.id},${restart?.id ?? ""})`;
    const rest = { kind: "prefix", op, variable, body, upTo, exclusive, restart } as const;
    return this.#intern<Prefix>(key, body.type, free, unknown, rest);
  }

  // ---- rewriting -----------------------------------------------------------------------------------------------

  /**
   * Replaces sub-values, rebuilding what is above them through the constructors, so that simplifications fire again.
   * A bound variable that would capture a free one of a replacement is renamed first.
   */
  substitute(value: Value, map: ReadonlyMap<Value, Value>): Value {
    if (map.size === 0) return value;
    const incoming = union([...map.values()]);
    // Only values that mention a replaced variable can change, if all that is replaced are variables.
    const onlyVars = [...map.keys()].every((k) => k.kind === "var");
    return this.#rebuild(value, map, onlyVars, incoming, new Map());
  }

  #rebuild(
    value: Value,
    map: ReadonlyMap<Value, Value>,
    onlyVars: boolean,
    incoming: ReadonlySet<Var>,
    memo: Map<Value, Value>,
  ): Value {
    const direct = map.get(value);
    if (direct) return direct;
    if (onlyVars) {
      let touched = false;
      for (const v of value.free) {
        if (map.has(v)) {
          touched = true;
          break;
        }
      }
      if (!touched) return value;
    }
    const known = memo.get(value);
    if (known) return known;
    const go = (v: Value) => this.#rebuild(v, map, onlyVars, incoming, memo);
    const outer = this.#maker;
    this.#maker = this.makers?.get(value) ?? outer;
    let out: Value;
    if (value.kind === "reduce" && value.vars.some((v) => map.has(v) || incoming.has(v))) {
      const body = value.body;
      const rename = new Map<Value, Value>();
      const taken: Value[] = [body, ...[...incoming]];
      for (const v of value.vars) {
        const fresh = this.fresh(v.extent, taken);
        rename.set(v, fresh);
        taken.push(fresh);
      }
      out = this.reduceOver(value.op, [...rename.values()], go(this.substitute(body, rename)));
    } else if (value.kind === "prefix" && (map.has(value.variable) || incoming.has(value.variable))) {
      const { op, variable, body, upTo, exclusive, restart } = value;
      const taken = [body, upTo, ...restart ? [restart] : [], ...incoming];
      const fresh = this.fresh(variable.extent, taken) as Var;
      const renamed = (v: Value) => go(this.substitute(v, new Map([[variable, fresh]])));
      out = this.#prefixOver(op, fresh, renamed(body), go(upTo), exclusive, restart && renamed(restart));
    } else out = this.map(value, go);
    this.#maker = outer;
    memo.set(value, out);
    return out;
  }

  /** The same node over other children, made for the same op. */
  map(value: Value, f: (child: Value) => Value): Value {
    const outer = this.#maker;
    this.#maker = this.makers?.get(value) ?? outer;
    const out = this.#over(value, f);
    this.#maker = outer;
    return out;
  }

  #over(value: Value, f: (child: Value) => Value): Value {
    switch (value.kind) {
      case "const":
      case "param":
      case "var":
        return value;
      case "linear":
        return this.affine(value.terms.map((t) => [f(t.atom), t.coefficient] as const), value.constant);
      case "div":
        return this.idiv(f(value.arg), value.divisor);
      case "mod":
        return this.imod(f(value.arg), value.divisor);
      case "unary":
        return value.op === "not" ? this.not(f(value.arg)) : this.unary(value.op, f(value.arg));
      case "binary": {
        const a = f(value.a);
        const b = f(value.b);
        switch (value.op) {
          case "lt":
          case "le":
          case "eq":
          case "ne":
            return this.compare(value.op, a, b);
          case "and":
            return this.and(a, b);
          case "or":
            return this.or(a, b);
          default:
            return this.binary(value.op, a, b);
        }
      }
      case "select":
        return this.select(f(value.condition), f(value.then), f(value.otherwise));
      case "cast":
        return this.cast(value.type, f(value.arg));
      case "bitcast":
        return this.bitcast(value.type, f(value.arg));
      case "load":
        return this.load(value.buffer, f(value.index));
      case "guard":
        return this.guard(f(value.condition), f(value.value), f(value.otherwise));
      case "reduce":
        return this.reduceOver(value.op, value.vars, f(value.body));
      case "prefix":
        return this.#prefixOver(
          value.op,
          value.variable,
          f(value.body),
          f(value.upTo),
          value.exclusive,
          value.restart && f(value.restart),
        );
    }
  }
}

/**
 * c·d·(x div d) + c·(x mod d) is c·x: what splitting an axis and merging it again must come to. Changes the terms in
 * place and returns what is to be added to the constant.
 */
function recombine(k: Values, terms: Map<Value, number>): number {
  for (const [atom, c] of terms) {
    if (atom.kind !== "mod" || c === 0) continue;
    const quotient = k.idiv(atom.arg, atom.divisor);
    if (quotient.kind !== "div" || terms.get(quotient) !== c * atom.divisor) continue;
    terms.delete(atom);
    terms.delete(quotient);
    const whole = k.linearOf(atom.arg);
    for (const [x, factor] of whole.terms) terms.set(x, (terms.get(x) ?? 0) + c * factor);
    return c * whole.constant + recombine(k, terms);
  }
  return 0;
}

const gcd = (a: number, b: number): number => b === 0 ? Math.abs(a) : gcd(b, a % b);

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
