/**
 * WGSL text of single operations on operands that are already text.
 *
 * What naga and Tint disagree on, or refuse, is avoided here (PLATFORM: the conservative subset): no operation on
 * literals alone (wgsl.ts folds those), no literal that is infinite, NaN or subnormal, no division by a literal zero, no
 * literal shift by 32 or more.
 */

import { showF32 } from "../kernel/print.ts";
import type { BinaryInstr, CastInstr, Instr, IrType, Literal, UnaryInstr } from "../kernel/ir.ts";
import { type BinaryOp, isFloating, type UnaryOp, type ValueType } from "../kernel/value.ts";

/** `f32`, `vec4<i32>`. */
export const typeText = ({ scalar, width }: IrType): string => width === 4 ? `vec4<${scalar}>` : scalar;

const smallestNormal: { readonly [T in ValueType]?: number } = { f32: 2 ** -126, f16: 2 ** -14 };
const largest = (2 - 2 ** -23) * 2 ** 127;

/** Floats that WGSL has no portable literal for; they come from their bits, as an f32, at run time. */
export function isSpecial({ type, value }: Literal): boolean {
  const normal = smallestNormal[type.scalar];
  return normal !== undefined && (!Number.isFinite(value) || (value !== 0 && Math.abs(value) < normal));
}

/** A literal that is not special, in parentheses where it has a sign. */
export function literalText(literal: Literal): string {
  const { type: { scalar }, value } = literal;
  switch (scalar) {
    case "f32": {
      const magnitude = Math.abs(value);
      const text = magnitude === largest ? "0x1.fffffep+127f" : `${decimal(showF32(magnitude))}f`;
      return value < 0 || Object.is(value, -0) ? `(-${text})` : text;
    }
    case "f16": {
      // A half has few digits: its decimal form is exact.
      const text = `${decimal(String(Math.abs(value)))}h`;
      return value < 0 || Object.is(value, -0) ? `(-${text})` : text;
    }
    case "i32":
      if (value === -2147483648) return "i32(-2147483648)";
      return value < 0 ? `(${value}i)` : `${value}i`;
    case "u32":
      return `${value}u`;
    case "bool":
      return value !== 0 ? "true" : "false";
  }
}

/** With a point or an exponent, so that it reads as a float. */
const decimal = (text: string): string => /[.e]/.test(text) ? text : `${text}.0`;

const functions: { readonly [O in UnaryOp]: string } = {
  neg: "-",
  not: "!",
  bitNot: "~",
  abs: "abs",
  exp: "exp",
  exp2: "exp2",
  log: "log",
  log2: "log2",
  sqrt: "sqrt",
  inverseSqrt: "inverseSqrt",
  sin: "sin",
  cos: "cos",
  tanh: "tanh",
  floor: "floor",
  ceil: "ceil",
  round: "round",
  trunc: "trunc",
};

export function unaryText({ op }: UnaryInstr, arg: string): string {
  const name = functions[op];
  return name.length === 1 ? `${name}${arg}` : `${name}(${arg})`;
}

const infix: { readonly [O in Exclude<BinaryOp, "max" | "min" | "shl" | "shr">]: string } = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  rem: "%",
  and: "&",
  or: "|",
  xor: "^",
  lt: "<",
  le: "<=",
  eq: "==",
  ne: "!=",
};

export function binaryText({ op, a: left, b: right, type }: BinaryInstr, a: string, b: string): string {
  switch (op) {
    case "max":
    case "min":
      return `${op}(${a}, ${b})`;
    case "shl":
    case "shr":
      return `${a} ${op === "shl" ? "<<" : ">>"} ${countText(right, b)}`;
    case "div":
    case "rem":
      // x / 0 = x and x rem 0 = 0, but a literal 0 is an error in WGSL.
      if (right.kind === "literal" && right.value === 0 && !isFloating(type.scalar)) {
        return op === "div" ? a : `${typeText(type)}(0)`;
      }
      return `${a} ${infix[op]} ${b}`;
    case "xor":
      return `${a} ${left.type.scalar === "bool" ? "!=" : "^"} ${b}`;
    default:
      return `${a} ${infix[op]} ${b}`;
  }
}

/** Shift counts are u32, and count mod 32. */
function countText(count: Instr, text: string): string {
  if (count.kind === "literal") return `${count.value & 31}u`;
  const unsigned = { scalar: "u32", width: count.type.width } as const;
  const word = count.type.scalar === "u32" ? text : `bitcast<${typeText(unsigned)}>(${text})`;
  return `(${word} & ${count.type.width === 4 ? "vec4<u32>(31u)" : "31u"})`;
}

export function castText({ kind, type, arg }: CastInstr, text: string): string {
  if (kind === "bitcast") return `bitcast<${typeText(type)}>(${text})`;
  if (type.scalar !== "bool") return `${typeText(type)}(${text})`;
  const zero = (scalar: "i32" | "u32") => typeText({ scalar, width: type.width }) + "(0)";
  if (arg.type.scalar === "i32" || arg.type.scalar === "u32" || arg.type.scalar === "bool") {
    return `${text} != ${zero(arg.type.scalar === "i32" ? "i32" : "u32")}`;
  }
  // By bits, since comparisons with NaN are not to be trusted; the shift drops the sign of a zero.
  const bits = typeText({ scalar: "u32", width: type.width });
  const single = arg.type.scalar === "f16"
    ? `${typeText({ scalar: "f32", width: type.width })}(${text})`
    : text;
  return `(bitcast<${bits}>(${single}) << ${bits}(1u)) != ${zero("u32")}`;
}
