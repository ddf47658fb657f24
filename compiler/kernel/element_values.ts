/**
 * Arithmetic on elements, simplified where constants and the ranges of indices decide it.
 * @module
 */

import { InternalError } from "../errors.ts";
import { IndexValues } from "./index_values.ts";
import {
  type Binary,
  type BinaryOp,
  type Cast,
  type Guard,
  isFloating,
  type Operand,
  type Select,
  type Unary,
  type UnaryOp,
  unionOfFree,
  type Value,
  type ValueType,
} from "./value.ts";
import { unknownRange } from "./value_table.ts";

const comparisons: ReadonlySet<BinaryOp> = new Set(["lt", "le", "eq", "ne"]);

export class ElementValues extends IndexValues {
  unary(op: UnaryOp, arg: Value): Value {
    const type = op === "not" ? "bool" : arg.type;
    const range = type === "i32" && op === "neg" ? { lo: -arg.hi, hi: -arg.lo } : unknownRange;
    return this.intern<Unary>(`u${op}(${arg.id})`, type, arg.free, range, { kind: "unary", op, arg });
  }

  binary(op: BinaryOp, left: Operand, right: Operand): Value {
    const a = typeof left === "number" ? this.of(left, right as Value) : left;
    const b = typeof right === "number" ? this.of(right, a) : right;
    if (a.type !== b.type && op !== "shl" && op !== "shr") {
      throw new InternalError("values", `${op} of ${a.type} and ${b.type}`);
    }
    // Drivers fold a division by a literal 0, not always to what it is; ∞ is no literal (emit/wgsl.ts).
    if (op === "div" && isFloating(b.type) && b.kind === "const" && b.value === 0) {
      return this.binary("mul", a, this.const(Object.is(b.value, -0) ? -Infinity : Infinity, b.type));
    }
    const type = comparisons.has(op) ? "bool" : a.type;
    let range = unknownRange;
    if (type === "i32") {
      if (op === "max") range = { lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
      else if (op === "min") range = { lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi) };
    }
    return this.intern<Binary>(`b${op}(${a.id},${b.id})`, type, unionOfFree([a, b]), range, {
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
    return this.intern<Select>(
      `s(${condition.id},${a.id},${b.id})`,
      a.type,
      unionOfFree([condition, a, b]),
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
    return this.intern<Guard>(
      `g(${condition.id},${value.id},${b.id})`,
      value.type,
      unionOfFree([condition, value, b]),
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
    const range = type === "i32" && arg.type === "bool" ? { lo: 0, hi: 1 } : unknownRange;
    return this.intern<Cast>(`t${type}(${arg.id})`, type, arg.free, range, { kind: "cast", arg });
  }

  bitcast(type: ValueType, arg: Value): Value {
    if (arg.type === type) return arg;
    return this.intern<Cast>(`r${type}(${arg.id})`, type, arg.free, unknownRange, { kind: "bitcast", arg });
  }

  /** min(max(a, lo), hi) on indices, gone where the range already says so. */
  iclamp(a: Value, lo: number, hi: number): Value {
    let out = a;
    if (out.lo < lo) out = this.binary("max", out, this.int(lo));
    if (out.hi > hi) out = this.binary("min", out, this.int(hi));
    return out;
  }
}
