/**
 * What one operation does to numbers: SEMANTICS of the kernel IR, one table entry per op and type.
 *
 * An op is defined for a type exactly where the table has an entry; the verifier reads that off, so nothing is declared
 * twice. f16 has the ops whose result is the same whether they are computed in f16 or in f32 and rounded once (half.ts).
 * bool is 0 or 1. f32 is computed in f64 and rounded once, which is exact for + − × ÷ and √ (53 ≥ 2 · 24 + 2
 * bits). Integers wrap; x / 0 = x, x rem 0 = 0, MIN / −1 = MIN, and shift counts count mod 32, as WGSL defines them.
 *
 * `max` and `min` follow WGSL's text literally, so that NaN gets lost from one side: a kernel that relies on NaN coming
 * through a bare `max` fails here too, and not only on some drivers.
 */

import * as real from "../graph/real.ts";
import { type BinaryOp, isFloating, type UnaryOp, type ValueType } from "./value.ts";

type PerType<F> = { readonly [T in ValueType]?: F };
type Unary = (x: number) => number;
type Binary = (a: number, b: number) => number;

const { f16round, fround, imul } = Math;

function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}

export const unaryMeaning: { readonly [O in UnaryOp]: PerType<Unary> } = {
  neg: { f32: (x) => -x, f16: (x) => -x, i32: (x) => -x | 0 },
  abs: { f32: Math.abs, f16: Math.abs, i32: (x) => Math.abs(x) | 0, u32: (x) => x },
  exp: { f32: (x) => fround(real.exp(x)) },
  exp2: { f32: (x) => fround(real.exp2(x)) },
  log: { f32: (x) => fround(real.log(x)) },
  log2: { f32: (x) => fround(real.log2(x)) },
  sqrt: { f32: (x) => fround(Math.sqrt(x)) },
  inverseSqrt: { f32: (x) => fround(1 / Math.sqrt(x)) },
  sin: { f32: (x) => fround(real.sin(x)) },
  cos: { f32: (x) => fround(real.cos(x)) },
  tanh: { f32: (x) => fround(real.tanh(x)) },
  floor: { f32: Math.floor, f16: Math.floor },
  ceil: { f32: Math.ceil, f16: Math.ceil },
  round: { f32: roundHalfEven, f16: roundHalfEven },
  trunc: { f32: Math.trunc, f16: Math.trunc },
  not: { bool: (x) => 1 - x },
  bitNot: { i32: (x) => ~x, u32: (x) => ~x >>> 0 },
};

const compare = (
  holds: (a: number, b: number) => boolean,
): { f32: Binary; f16: Binary; i32: Binary; u32: Binary } => {
  const meaning: Binary = (a, b) => holds(a, b) ? 1 : 0;
  return { f32: meaning, f16: meaning, i32: meaning, u32: meaning };
};
const max: Binary = (a, b) => a < b ? b : a;
const min: Binary = (a, b) => b < a ? b : a;
const equal = compare((a, b) => a === b);
const unequal = compare((a, b) => a !== b);

export const binaryMeaning: { readonly [O in BinaryOp]: PerType<Binary> } = {
  add: {
    f32: (a, b) => fround(a + b),
    f16: (a, b) => f16round(a + b),
    i32: (a, b) => (a + b) | 0,
    u32: (a, b) => (a + b) >>> 0,
  },
  sub: {
    f32: (a, b) => fround(a - b),
    f16: (a, b) => f16round(a - b),
    i32: (a, b) => (a - b) | 0,
    u32: (a, b) => (a - b) >>> 0,
  },
  mul: {
    f32: (a, b) => fround(a * b),
    f16: (a, b) => f16round(a * b),
    i32: imul,
    u32: (a, b) => imul(a, b) >>> 0,
  },
  div: {
    f32: (a, b) => fround(a / b),
    i32: (a, b) => b === 0 ? a : (a / b) | 0,
    u32: (a, b) => b === 0 ? a : (a / b) >>> 0,
  },
  rem: {
    f32: (a, b) => fround(a % b),
    i32: (a, b) => b === 0 ? 0 : (a % b) | 0,
    u32: (a, b) => b === 0 ? 0 : a % b,
  },
  max: { f32: max, f16: max, i32: max, u32: max },
  min: { f32: min, f16: min, i32: min, u32: min },
  and: { i32: (a, b) => a & b, u32: (a, b) => (a & b) >>> 0, bool: (a, b) => a & b },
  or: { i32: (a, b) => a | b, u32: (a, b) => (a | b) >>> 0, bool: (a, b) => a | b },
  xor: { i32: (a, b) => a ^ b, u32: (a, b) => (a ^ b) >>> 0, bool: (a, b) => a ^ b },
  shl: { i32: (a, b) => a << b, u32: (a, b) => (a << b) >>> 0 },
  shr: { i32: (a, b) => a >> b, u32: (a, b) => a >>> b },
  lt: compare((a, b) => a < b),
  le: compare((a, b) => a <= b),
  eq: { ...equal, bool: equal.i32 },
  ne: { ...unequal, bool: unequal.i32 },
};

/** Ops whose result is a bool, whatever they compare. */
export const isComparison = (op: BinaryOp): boolean =>
  op === "lt" || op === "le" || op === "eq" || op === "ne";

/**
 * Conversion by value. float → integer truncates and saturates, and NaN gives 0; a driver promises that only inside the
 * target's range (numerics.ts makes it so). → bool is x ≠ 0, so NaN is true.
 */
export function castMeaning(from: ValueType, to: ValueType, x: number): number {
  switch (to) {
    case "f32":
      return fround(x);
    case "f16":
      return f16round(x);
    case "i32":
      return !isFloating(from)
        ? x | 0
        : x >= 2147483647
        ? 2147483647
        : x <= -2147483648
        ? -2147483648
        : x | 0;
    case "u32":
      return !isFloating(from) ? x >>> 0 : x >= 4294967295 ? 4294967295 : x > 0 ? x >>> 0 : 0;
    case "bool":
      return x !== 0 ? 1 : 0;
  }
}

const f32 = new Float32Array(1);
const i32 = new Int32Array(f32.buffer);
const u32 = new Uint32Array(f32.buffer);
const words = { f32, i32, u32 };

/** The same 32 bits as another type. bool has no bits, f16 too few. */
export function bitcastMeaning(from: ValueType, to: ValueType, x: number): number {
  if (from === "bool" || to === "bool" || from === "f16" || to === "f16") {
    throw new TypeError(`no 32 bits: ${from} as ${to}`);
  }
  words[from][0] = x;
  return words[to][0]!;
}
