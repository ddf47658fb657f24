/**
 * What a reduction does to one more element: states of one or two numbers, shared by every schedule.
 *
 * The state of `argmax`/`argmin` is (value, position). `max`/`min` propagate NaN by a bit test, because the target's own
 * do what they like with it (SEMANTICS §8); their fast forms do not.
 */

import { InternalError } from "../errors.ts";
import type { IrBuilder } from "./build.ts";
import type { ArrayDecl, Instr } from "./ir.ts";
import { wide } from "./ir.ts";
import { identityOf, type Reduce, type ReduceKind, type Value, type ValueType } from "./value.ts";

export { identityOf };

/** NaN by its bits: `x != x` is false on some drivers. */
export function isNaNInstr(b: IrBuilder, x: Instr): Instr {
  const bits = b.binary("and", b.bitcast("u32", x), b.literal("u32", 0x7fffffff));
  return b.binary("lt", b.literal("u32", 0x7f800000), bits);
}

/** One step of a reduction with a state of one number. */
export function stepOf(b: IrBuilder, op: ReduceKind, acc: Instr, x: Instr): Instr {
  const type = x.type.scalar;
  switch (op) {
    case "sum":
      return b.binary("add", acc, x);
    case "prod":
      return b.binary("mul", acc, x);
    case "maxFast":
    case "minFast":
      return b.binary(op === "maxFast" ? "max" : "min", acc, x);
    case "max":
    case "min": {
      if (type === "bool") return b.binary(op === "max" ? "or" : "and", acc, x);
      const bare = b.binary(op, acc, x);
      if (type !== "f32") return bare;
      // A NaN accumulator stays; a NaN element takes over.
      return b.select(isNaNInstr(b, acc), acc, b.select(isNaNInstr(b, x), x, bare));
    }
    default:
      throw new InternalError("kernel", `${op} has a state of two numbers`);
  }
}

/**
 * A finished reduction of integers, held to the range that its value has. What went through an array could be anything to
 * whoever proves accesses, and an index that is a reduction (an argmax) is used without another look.
 */
export function withinRange(b: IrBuilder, { type, lo, hi }: Value, result: Instr): Instr {
  if (type !== "i32" || !Number.isFinite(lo) || !Number.isFinite(hi)) return result;
  const bound = (x: number) => b.widen(b.int(x), result.type.width);
  return b.binary("min", b.binary("max", result, bound(lo)), bound(hi));
}

/** Accumulators of a reduction: one array per number of its state, each holding `count` states. */
export class Accumulator {
  readonly arrays: readonly ArrayDecl[];
  readonly #type: ValueType;

  constructor(readonly b: IrBuilder, readonly value: Reduce, readonly width: 1 | 4, readonly count = 1) {
    this.#type = value.body.type;
    this.arrays = this.indexed
      ? [b.array("lane", wide(this.#type, width), count), b.array("lane", wide("i32", width), count)]
      : [b.array("lane", wide(this.#type, width), count)];
  }

  get indexed(): boolean {
    return this.value.op === "argmax" || this.value.op === "argmin";
  }

  reset(slot = 0): void {
    const { b, arrays, width } = this;
    b.set(arrays[0]!, slot, b.widen(b.literal(this.#type, identityOf(this.value.op, this.#type)), width));
    if (this.indexed) b.set(arrays[1]!, slot, b.widen(b.int(0), width));
  }

  /** Takes in one element; `position` is its row-major place among the reduced axes (argmax only). */
  step(x: Instr, position?: Instr, slot = 0): void {
    const { b, arrays, width, value } = this;
    const acc = b.read(arrays[0]!, slot);
    const element = b.widen(x, width);
    if (!this.indexed) return b.set(arrays[0]!, slot, stepOf(b, value.op, acc, element));
    const at = b.read(arrays[1]!, slot);
    const place = b.widen(position!, width);
    let better = value.op === "argmax" ? b.binary("lt", acc, element) : b.binary("lt", element, acc);
    if (this.#type === "f32") {
      // The first NaN wins and stays.
      better = b.and(b.binary("or", better, isNaNInstr(b, element)), b.unary("not", isNaNInstr(b, acc)));
    }
    // Lanes and vector components do not meet elements in order: on a tie the smaller place wins.
    const tie = b.and(b.binary("eq", acc, element), b.binary("lt", place, at));
    const take = b.binary("or", better, tie);
    b.set(arrays[0]!, slot, b.select(take, element, acc));
    b.set(arrays[1]!, slot, b.select(take, place, at));
  }

  /** The reduction's result in a slot. */
  result(slot = 0): Instr {
    return withinRange(this.b, this.value, this.b.read(this.arrays[this.indexed ? 1 : 0]!, slot));
  }
}
