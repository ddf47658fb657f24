/** Intervals of integers through the operations that are not affine. */

import { log2 } from "../graph/real.ts";
import type { BinaryOp, ValueType } from "./value.ts";

/** lo ≤ x ≤ hi; empty where lo > hi. */
export interface Interval {
  readonly lo: number;
  readonly hi: number;
}

/** An interval of the multiples of a number; `multiple` 0 stands for the number 0 alone. */
export interface Lattice extends Interval {
  readonly multiple: number;
}

/** All values of a type. */
export function domainOf(scalar: ValueType): Interval {
  if (scalar === "bool") return { lo: 0, hi: 1 };
  return scalar === "u32" ? { lo: 0, hi: 2 ** 32 - 1 } : { lo: -(2 ** 31), hi: 2 ** 31 - 1 };
}

export const isPowerOfTwo = (x: number): boolean => x > 0 && (x & (x - 1)) === 0;

/** Where an operation's result lies, if its operands lie in `a` and `b` and it does not wrap; undefined: anywhere. */
export function intervalOf(op: BinaryOp, a: Lattice, b: Lattice): Lattice | undefined {
  switch (op) {
    case "mul": {
      const corners = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
      const product = a.multiple * b.multiple;
      const multiple = product < 2 ** 31 ? product : 1;
      return { lo: Math.min(...corners), hi: Math.max(...corners), multiple };
    }
    case "div":
      if (a.lo < 0 || b.lo <= 0) return undefined;
      return { lo: Math.floor(a.lo / b.hi), hi: Math.floor(a.hi / b.lo), multiple: 1 };
    case "rem":
      return a.lo >= 0 && b.lo > 0 ? { lo: 0, hi: Math.min(a.hi, b.hi - 1), multiple: 1 } : undefined;
    case "shr": {
      if (b.lo !== b.hi) return a.lo >= 0 ? { lo: 0, hi: a.hi, multiple: 1 } : undefined;
      const divisor = 2 ** (b.lo & 31);
      return { lo: Math.floor(a.lo / divisor), hi: Math.floor(a.hi / divisor), multiple: 1 };
    }
    case "and": {
      // A number ≥ 0 keeps some of its bits; a mask without low bits leaves a multiple.
      const caps = [a, b].filter(({ lo }) => lo >= 0).map(({ hi }) => hi);
      const masks = [a, b].filter(({ lo, hi }) => lo === hi).map(({ lo }) => lowestBit(lo));
      const multiple = Math.max(1, ...masks);
      return caps.length > 0
        ? { lo: 0, hi: Math.min(...caps), multiple }
        : { lo: -(2 ** 31), hi: 2 ** 31 - 1, multiple };
    }
    case "or":
    case "xor": {
      if (a.lo < 0 || b.lo < 0) return undefined;
      return { lo: 0, hi: 2 ** Math.ceil(log2(Math.max(a.hi, b.hi) + 1)) - 1, multiple: 1 };
    }
    default:
      return undefined;
  }
}

/** 8 for 24 and for −8; 1 for 0, which says nothing. */
const lowestBit = (x: number): number => x === 0 ? 1 : (x & -x) >>> 0;
