/**
 * What each `CombineOp` means, written as IR: how two states become one, and the state that changes nothing.
 *
 * A reduction over many lanes is a fold of `combineStates`, so it must be associative up to rounding, and the order in
 * which lanes fold must be one order everywhere, or the interpreter and a device would disagree. That order is halving:
 * n partial states become n / 2, the first of each half, the second of each half, and so on, until one is left. A device
 * takes several halvings at once through memory (`combineLevels`), or one at a time by handing states from lane to lane;
 * the numbers are the same, bit for bit.
 *
 * NaN is found by its bits, since `x != x` is false for NaN on some drivers and `max` loses it on most.
 */

import { InternalError } from "../errors.ts";
import { type CombineOp, type Computed, type Instr, type IrType, type Literal, literal, wide } from "./ir.ts";
import { isComparison } from "./scalar.ts";
import type { BinaryOp, ValueType } from "./value.ts";

/** Binds an instruction where the caller stands and gives it back as an operand. */
export type Make = (instr: Computed) => Instr;

/** Components of a state: how many arrays a `Combine` of this op names. */
const stateSize: { readonly [O in CombineOp]: number } = {
  sum: 1,
  prod: 1,
  max: 1,
  min: 1,
  maxFast: 1,
  minFast: 1,
  argmax: 2,
  argmin: 2,
  maxSumExp: 2,
  moments: 3,
};

/**
 * How many of `across` (a power of two) states are left after each level through memory: 128 → [16, 2]; the last are
 * folded in one go. (Three halvings at once: each level costs a barrier, and a fold of 8 is cheap.)
 */
export function combineLevels(across: number): readonly number[] {
  const levels: number[] = [];
  let left = across;
  while (left > 8) levels.push(left /= 8);
  return levels;
}

/** Why states of these types cannot be combined by this op, if they cannot. */
export function combineTypeError(op: CombineOp, types: readonly IrType[]): string | undefined {
  if (types.length !== stateSize[op]) return `${op} combines ${stateSize[op]} arrays, not ${types.length}`;
  if (types.some((type) => type.width !== types[0]!.width)) return `${op} combines arrays of one width`;
  const [first, second] = types.map((type) => type.scalar) as [ValueType, ValueType?];
  switch (op) {
    case "sum":
    case "prod":
      return first === "bool" ? `${op} of bool` : undefined;
    case "argmax":
    case "argmin":
      return second === "i32" ? undefined : `${op} needs an i32 index, not ${second}`;
    case "maxSumExp":
    case "moments":
      return types.every((type) => type.scalar === "f32") ? undefined : `${op} needs f32`;
    default:
      return undefined;
  }
}

const lowest: { readonly [T in ValueType]: number } = {
  f32: -Infinity,
  f16: -Infinity,
  i32: -2147483648,
  u32: 0,
  bool: 0,
};
const highest: { readonly [T in ValueType]: number } = {
  f32: Infinity,
  f16: Infinity,
  i32: 2147483647,
  u32: 4294967295,
  bool: 1,
};

/** The state that combines with any other to that other; one scalar per component. */
export function identityState(op: CombineOp, types: readonly IrType[]): readonly Literal[] {
  const scalar = types[0]!.scalar;
  switch (op) {
    case "sum":
      return [literal(scalar, 0)];
    case "prod":
      return [literal(scalar, 1)];
    case "max":
    case "maxFast":
      return [literal(scalar, lowest[scalar])];
    case "min":
    case "minFast":
      return [literal(scalar, highest[scalar])];
    // The largest index, so that an element equal to the identity's value still wins against it.
    case "argmax":
      return [literal(scalar, lowest[scalar]), literal("i32", highest.i32)];
    case "argmin":
      return [literal(scalar, highest[scalar]), literal("i32", highest.i32)];
    case "maxSumExp":
      return [literal("f32", -Infinity), literal("f32", 0)];
    case "moments":
      return [literal("f32", 0), literal("f32", 0), literal("f32", 0)];
  }
}

/** Short names for the instructions below; literals take the width of what they meet, and are widened once. */
function shorthand(make: Make, width: 1 | 4) {
  const widened = new Map<string, Instr>();
  const lift = (operand: Instr | number, like: ValueType): Instr => {
    if (typeof operand !== "number") return operand;
    const scalar = literal(like, operand);
    if (width === 1) return scalar;
    const key = `${like} ${operand}`;
    const known = widened.get(key) ?? make({ kind: "splat", type: wide(like, 4), arg: scalar });
    widened.set(key, known);
    return known;
  };
  const binary = (op: BinaryOp, left: Instr | number, right: Instr | number): Instr => {
    const scalar = typeof left !== "number" ? left.type.scalar : (right as Instr).type.scalar;
    const [a, b] = [lift(left, scalar), lift(right, scalar)];
    return make({ kind: "binary", type: wide(isComparison(op) ? "bool" : scalar, width), op, a, b });
  };
  const select = (condition: Instr, then: Instr | number, otherwise: Instr): Instr =>
    make({
      kind: "select",
      type: otherwise.type,
      condition,
      then: lift(then, otherwise.type.scalar),
      otherwise,
    });
  const not = (arg: Instr): Instr => make({ kind: "unary", type: arg.type, op: "not", arg });
  const exp = (arg: Instr): Instr => make({ kind: "unary", type: arg.type, op: "exp", arg });
  const isNaN = (arg: Instr): Instr => {
    const bits = make({ kind: "bitcast", type: wide("u32", width), arg });
    return binary("lt", 0x7f800000, binary("and", bits, 0x7fffffff));
  };
  return { binary, select, not, exp, isNaN };
}

/** The state of two partial results together; `a` is the one that comes first in the order of combination. */
export function combineStates(
  op: CombineOp,
  make: Make,
  a: readonly Instr[],
  b: readonly Instr[],
): readonly Instr[] {
  return combineWith(op, shorthand(make, a[0]!.type.width), a, b);
}

function combineWith(
  op: CombineOp,
  { binary, select, not, exp, isNaN }: ReturnType<typeof shorthand>,
  a: readonly Instr[],
  b: readonly Instr[],
): readonly Instr[] {
  const { scalar } = a[0]!.type;

  /** The extreme of two, NaN if either is; on bool it is any or all. */
  const extreme = (which: "max" | "min", x: Instr, y: Instr, propagate: boolean): Instr => {
    if (scalar === "bool") return binary(which === "max" ? "or" : "and", x, y);
    const plain = binary(which, x, y);
    return scalar === "f32" && propagate ? select(isNaN(x), x, select(isNaN(y), y, plain)) : plain;
  };

  switch (op) {
    case "sum":
      return [binary("add", a[0]!, b[0]!)];
    case "prod":
      return [binary("mul", a[0]!, b[0]!)];
    case "max":
    case "min":
      return [extreme(op, a[0]!, b[0]!, true)];
    case "maxFast":
    case "minFast":
      return [extreme(op === "maxFast" ? "max" : "min", a[0]!, b[0]!, false)];

    case "argmax":
    case "argmin": {
      const [x, i] = a as [Instr, Instr];
      const [y, j] = b as [Instr, Instr];
      const earlier = binary("lt", j, i);
      const further = scalar === "bool"
        ? (op === "argmax" ? binary("and", not(x), y) : binary("and", x, not(y)))
        : (op === "argmax" ? binary("lt", x, y) : binary("lt", y, x));
      let take = binary("or", further, binary("and", binary("eq", x, y), earlier));
      if (scalar === "f32") {
        const nanX = isNaN(x);
        const nanY = isNaN(y);
        const firstNaN = binary("and", nanY, binary("or", not(nanX), earlier));
        take = select(binary("or", nanX, nanY), firstNaN, take);
      }
      return [select(take, y, x), select(take, j, i)];
    }

    case "maxSumExp": {
      const [m, s] = a as [Instr, Instr];
      const [n, t] = b as [Instr, Instr];
      const top = extreme("max", m, n, true);
      // A maximum that is the common one scales by 1 and not by exp(m − m), which is exp(NaN) where both are −∞.
      const scaled = (maximum: Instr, sum: Instr) =>
        binary("mul", sum, select(binary("le", top, maximum), 1, exp(binary("sub", maximum, top))));
      return [top, select(isNaN(top), top, binary("add", scaled(m, s), scaled(n, t)))];
    }

    case "moments": {
      const [count, mean, squares] = a as [Instr, Instr, Instr];
      const [otherCount, otherMean, otherSquares] = b as [Instr, Instr, Instr];
      const total = binary("add", count, otherCount);
      const delta = binary("sub", otherMean, mean);
      // Two empty states make an empty one: 0 / 1 instead of 0 / 0.
      const weight = binary("div", otherCount, binary("max", total, 1));
      const step = binary("mul", delta, weight);
      const between = binary("mul", binary("mul", delta, step), count);
      return [total, binary("add", mean, step), binary("add", binary("add", squares, otherSquares), between)];
    }
  }
}

/** Folds n states into one by halving: of an odd number the one in the middle waits. */
export function foldStates(
  op: CombineOp,
  make: Make,
  states: readonly (readonly Instr[])[],
): readonly Instr[] {
  const first = states[0]?.[0];
  if (!first) throw new InternalError("combine", "a fold of no states");
  const short = shorthand(make, first.type.width);
  let left = states;
  while (left.length > 1) {
    const half = Math.ceil(left.length / 2);
    const before = left;
    left = before.slice(0, half).map((state, i) => {
      const other = before[half + i];
      return other ? combineWith(op, short, state, other) : state;
    });
  }
  return left[0]!;
}
