/** JavaScript text of single operations on operands that are already text; the same meaning as kernel/scalar.ts. */

import { InternalError } from "../errors.ts";
import type { Instr, Literal } from "../kernel/ir.ts";
import { binaryMeaning, unaryMeaning } from "../kernel/scalar.ts";
import { type BinaryOp, isFloating, type UnaryOp, type ValueType } from "../kernel/value.ts";

/** Functions and scratch that every kernel begins with. */
export const prelude: readonly string[] = [
  "const { abs, ceil, cos, exp, f16round, floor, fround, imul, log, log2, round, sin, sqrt, tanh, trunc } = Math;",
  "const f32 = new Float32Array(1), i32 = new Int32Array(f32.buffer), u32 = new Uint32Array(f32.buffer);",
  "const roundHalfEven = (x) => { const d = floor(x); return x - d !== 0.5 ? round(x) : d % 2 === 0 ? d : d + 1; };",
  "const toI32 = (x) => x >= 2147483647 ? 2147483647 : x <= -2147483648 ? -2147483648 : x | 0;",
  "const toU32 = (x) => x >= 4294967295 ? 4294967295 : x > 0 ? x >>> 0 : 0;",
];

/** A value that JavaScript reads back exactly, in parentheses where it has a sign. */
export function literalScript({ type: { scalar }, value }: Literal): string {
  if (scalar === "bool") return value !== 0 ? "true" : "false";
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.startsWith("-") ? `(${text})` : text;
}

/** A numeric result as the type keeps it. */
function wrap(scalar: ValueType, text: string): string {
  switch (scalar) {
    case "f32":
      return `fround(${text})`;
    case "f16":
      return `f16round(${text})`;
    case "i32":
      return `(${text}) | 0`;
    case "u32":
      return `(${text}) >>> 0`;
    case "bool":
      return text;
  }
}

const unary: { readonly [O in UnaryOp]: (x: string) => string } = {
  neg: (x) => `-${x}`,
  abs: (x) => `abs(${x})`,
  exp: (x) => `exp(${x})`,
  exp2: (x) => `2 ** ${x}`,
  log: (x) => `log(${x})`,
  log2: (x) => `log2(${x})`,
  sqrt: (x) => `sqrt(${x})`,
  inverseSqrt: (x) => `1 / sqrt(${x})`,
  sin: (x) => `sin(${x})`,
  cos: (x) => `cos(${x})`,
  tanh: (x) => `tanh(${x})`,
  floor: (x) => `floor(${x})`,
  ceil: (x) => `ceil(${x})`,
  round: (x) => `roundHalfEven(${x})`,
  trunc: (x) => `trunc(${x})`,
  not: (x) => `!${x}`,
  bitNot: (x) => `~${x}`,
};

/** Whole numbers and sign changes of a float are floats of its type; rounding there would only cost. */
const isExact: ReadonlySet<UnaryOp> = new Set<UnaryOp>(["neg", "abs", "floor", "ceil", "round", "trunc"]);

export function unaryScript(op: UnaryOp, scalar: ValueType, x: string): string {
  if (!unaryMeaning[op][scalar]) throw new InternalError("javascript", `${op} of ${scalar}`);
  const text = unary[op](x);
  return isFloating(scalar) && isExact.has(op) ? text : wrap(scalar, text);
}

const infix: { readonly [O in Exclude<BinaryOp, "max" | "min">]: string } = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  rem: "%",
  and: "&",
  or: "|",
  xor: "^",
  shl: "<<",
  shr: ">>",
  lt: "<",
  le: "<=",
  eq: "===",
  ne: "!==",
};
const logical: { readonly [O in BinaryOp]?: string } = { and: "&&", or: "||", xor: "!==" };

/** `right` is the second operand itself: divisions by a literal need no test for zero. */
export function binaryScript(op: BinaryOp, scalar: ValueType, a: string, b: string, right: Instr): string {
  if (!binaryMeaning[op][scalar]) throw new InternalError("javascript", `${op} of ${scalar}`);
  const isInteger = scalar === "i32" || scalar === "u32";
  switch (op) {
    case "max":
      return `${a} < ${b} ? ${b} : ${a}`;
    case "min":
      return `${b} < ${a} ? ${b} : ${a}`;
    case "lt":
    case "le":
    case "eq":
    case "ne":
      return `${a} ${infix[op]} ${b}`;
    case "div":
    case "rem": {
      const text = wrap(scalar, `${a} ${infix[op]} ${b}`);
      if (!isInteger || (right.kind === "literal" && right.value !== 0)) return text;
      return `${b} === 0 ? ${op === "div" ? a : 0} : ${text}`;
    }
    case "mul":
      if (!isInteger) return wrap(scalar, `${a} * ${b}`);
      return scalar === "i32" ? `imul(${a}, ${b})` : wrap(scalar, `imul(${a}, ${b})`);
    case "shr":
      return scalar === "u32" ? `${a} >>> ${b}` : `${a} >> ${b}`;
    default:
      return scalar === "bool" ? `${a} ${logical[op]} ${b}` : wrap(scalar, `${a} ${infix[op]} ${b}`);
  }
}

export function castScript(kind: "cast" | "bitcast", from: ValueType, to: ValueType, x: string): string {
  if (kind === "bitcast") {
    if (from === "f32") return `(f32[0] = ${x}, ${to}[0])`;
    return to === "f32" ? `(${from}[0] = ${x}, f32[0])` : wrap(to, x);
  }
  if (to === "bool") return from === "bool" ? x : `${x} !== 0`;
  if (from === "bool") return `${x} ? 1 : 0`;
  if (to === "f16") return wrap(to, x);
  if (isFloating(from)) return to === "i32" ? `toI32(${x})` : to === "u32" ? `toU32(${x})` : x;
  return wrap(to, x);
}
