/**
 * Running folds: what a lane does with each element of its part of a row.
 *
 * A running fold may keep other numbers than the state it ends in, where that is cheaper per element:
 *
 * - `max`/`min` of floats take the target's bare extreme and, apart, the largest bit pattern seen: a NaN has a larger one
 *   than any number, so one test at the end of the row finds it, where a test per element would cost more than the
 *   extreme itself.
 * - `maxSumExp` rescales its sum once per turn of the loop and not per element. Its maximum starts at the lowest finite
 *   number, so that no difference of infinities arises before the first finite element; a sum that is still 0 at the end
 *   says that all elements were −∞.
 * - `moments` takes several elements at once: with d = x − mean and D = Σ d over n' = n + U elements, mean' = mean + D / n'
 *   and Σ d·(x − mean') is exactly what the sum of squares grows by.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import { combineStates } from "../../kernel/combine.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import { identityOf, stepOf } from "../../kernel/reducers.ts";
import type { ReduceKind, Value } from "../../kernel/value.ts";
import {
  combineOf,
  type FoldSpec,
  isIndexed,
  type MaxSumExpFold,
  type MomentsFold,
  type PlainFold,
  stateTypes,
} from "./fold_spec.ts";
import { makeIn, type State, States } from "./states.ts";

export interface Running {
  reset(): void;
  /** Elements in the order of the row; positions (argmax) are row-major places within it. */
  take(elements: readonly Instr[], positions: readonly Instr[]): void;
  /** What has been taken in, as a state to combine. */
  state(): State;
}

/** A fresh accumulator. */
export function running(b: IrBuilder, fold: FoldSpec, width: 1 | 4): Running {
  switch (fold.kind) {
    case "maxSumExp":
      return new RunningMaxSumExp(b, fold, width);
    case "moments":
      return new RunningMoments(b, fold, width);
    case "plain": {
      if (isIndexed(fold)) return new RunningStates(b, fold, width);
      const { op, body } = fold.reduce;
      if ((op === "max" || op === "min") && body.type === "f32") return new RunningExtreme(b, op, width);
      return new RunningPlain(b, fold, width);
    }
  }
}

/** What is known when a fold is complete: its values, in terms of its combined state. */
export function bindingsOf(b: IrBuilder, fold: FoldSpec, state: State): readonly (readonly [Value, Instr])[] {
  const width = state[0]!.type.width;
  const float = (x: number) => b.widen(b.literal("f32", x), width);
  switch (fold.kind) {
    case "plain":
      return [[fold.reduce, state[isIndexed(fold) ? 1 : 0]!]];
    case "maxSumExp": {
      const [m, s] = state as [Instr, Instr];
      // Σ exp(−∞ − −∞), as the unmerged sum has it.
      const nothing = b.binary("eq", s, float(0));
      return [
        [fold.max, b.select(nothing, float(-Infinity), m)],
        [fold.sum, b.select(nothing, float(NaN), s)],
      ];
    }
    case "moments": {
      const [, mean, squares] = state as [Instr, Instr, Instr];
      return [
        [fold.mean, mean],
        [fold.sum, b.binary("mul", mean, float(fold.count))],
        [fold.squares, squares],
      ];
    }
  }
}

const quietNaN = NaN;
const lowestFinite = -3.4028234663852886e38;

/** One number, one step per element. */
class RunningPlain implements Running {
  readonly #array: ArrayDecl;
  constructor(readonly b: IrBuilder, readonly fold: PlainFold, readonly width: 1 | 4) {
    this.#array = b.array("lane", wide(fold.reduce.body.type, width), 1);
  }
  reset(): void {
    const { op, body } = this.fold.reduce;
    this.b.set(
      this.#array,
      0,
      this.b.widen(this.b.literal(body.type, identityOf(op, body.type)), this.width),
    );
  }
  take(elements: readonly Instr[]): void {
    const { b, fold } = this;
    const together = elements.map((x) => b.widen(x, this.width))
      .reduce((a, x) => stepOf(b, fold.reduce.op, a, x));
    b.set(this.#array, 0, stepOf(b, fold.reduce.op, b.read(this.#array, 0), together));
  }
  state(): State {
    return [this.b.read(this.#array, 0)];
  }
}

/** The largest bit pattern of what it sees, sign removed: beyond infinity's if there was a NaN. */
class NaNWatch {
  readonly #array: ArrayDecl;
  constructor(readonly b: IrBuilder, readonly width: 1 | 4) {
    this.#array = b.array("lane", wide("u32", width), 1);
  }
  #bits(value: number): Instr {
    return this.b.widen(this.b.literal("u32", value), this.width);
  }
  reset(): void {
    this.b.set(this.#array, 0, this.#bits(0));
  }
  take(elements: readonly Instr[]): void {
    const { b } = this;
    const seen = elements.map((x) => b.binary("and", b.bitcast("u32", x), this.#bits(0x7fffffff)))
      .reduce((a, x) => b.binary("max", a, x), b.read(this.#array, 0));
    b.set(this.#array, 0, seen);
  }
  /** NaN if one was seen, else the value. */
  over(value: Instr): Instr {
    const { b } = this;
    const found = b.binary("lt", this.#bits(0x7f800000), b.read(this.#array, 0));
    return b.select(found, b.widen(b.literal("f32", quietNaN), this.width), value);
  }
}

/** `max` or `min` of floats, with NaN looked for apart. */
class RunningExtreme implements Running {
  readonly #array: ArrayDecl;
  readonly #watch: NaNWatch;
  constructor(readonly b: IrBuilder, readonly op: ReduceKind & ("max" | "min"), readonly width: 1 | 4) {
    this.#array = b.array("lane", wide("f32", width), 1);
    this.#watch = new NaNWatch(b, width);
  }
  reset(): void {
    this.b.set(this.#array, 0, this.b.widen(this.b.literal("f32", identityOf(this.op, "f32")), this.width));
    this.#watch.reset();
  }
  take(elements: readonly Instr[]): void {
    const { b, op } = this;
    const wideElements = elements.map((x) => b.widen(x, this.width));
    const together = wideElements.reduce((a, x) => b.binary(op, a, x));
    b.set(this.#array, 0, b.binary(op, b.read(this.#array, 0), together));
    this.#watch.take(wideElements);
  }
  state(): State {
    return [this.#watch.over(this.b.read(this.#array, 0))];
  }
}

/** (value, position), by the table of states. */
class RunningStates implements Running {
  readonly #states: States;
  constructor(readonly b: IrBuilder, readonly fold: FoldSpec, readonly width: 1 | 4) {
    this.#states = new States(b, combineOf(fold), stateTypes(fold), width);
  }
  reset(): void {
    this.#states.reset();
  }
  take(elements: readonly Instr[], positions: readonly Instr[]): void {
    const { b, width } = this;
    let state = this.#states.get();
    elements.forEach((x, q) => {
      state = combineStates(this.#states.op, makeIn(b), state, [
        b.widen(x, width),
        b.widen(positions[q]!, width),
      ]);
    });
    this.#states.set(state);
  }
  state(): State {
    return this.#states.get();
  }
}

class RunningMaxSumExp implements Running {
  readonly #max: ArrayDecl;
  readonly #sum: ArrayDecl;
  readonly #watch: NaNWatch | undefined;
  constructor(readonly b: IrBuilder, fold: MaxSumExpFold, readonly width: 1 | 4) {
    this.#max = b.array("lane", wide("f32", width), 1);
    this.#sum = b.array("lane", wide("f32", width), 1);
    this.#watch = fold.max.op === "max" ? new NaNWatch(b, width) : undefined;
  }
  reset(): void {
    const { b, width } = this;
    b.set(this.#max, 0, b.widen(b.literal("f32", lowestFinite), width));
    b.set(this.#sum, 0, b.widen(b.literal("f32", 0), width));
    this.#watch?.reset();
  }
  take(elements: readonly Instr[]): void {
    const { b, width } = this;
    const xs = elements.map((x) => b.widen(x, width));
    const before = b.read(this.#max, 0);
    const top = xs.reduce((a, x) => b.binary("max", a, x), before);
    const relative = (x: Instr) => b.unary("exp", b.binary("sub", x, top));
    const added = xs.map(relative).reduce((a, x) => b.binary("add", a, x));
    const rescaled = b.binary("mul", b.read(this.#sum, 0), relative(before));
    b.set(this.#sum, 0, b.binary("add", rescaled, added));
    b.set(this.#max, 0, top);
    this.#watch?.take(xs);
  }
  state(): State {
    const { b } = this;
    const max = b.read(this.#max, 0);
    return [this.#watch?.over(max) ?? max, b.read(this.#sum, 0)];
  }
}

class RunningMoments implements Running {
  readonly #count: ArrayDecl;
  readonly #mean: ArrayDecl;
  readonly #squares: ArrayDecl;
  constructor(readonly b: IrBuilder, _: MomentsFold, readonly width: 1 | 4) {
    // Components of a vector have met equally many elements.
    this.#count = b.array("lane", wide("f32", 1), 1);
    this.#mean = b.array("lane", wide("f32", width), 1);
    this.#squares = b.array("lane", wide("f32", width), 1);
  }
  reset(): void {
    const { b } = this;
    b.set(this.#count, 0, b.literal("f32", 0));
    for (const array of [this.#mean, this.#squares]) {
      b.set(array, 0, b.widen(b.literal("f32", 0), this.width));
    }
  }
  take(elements: readonly Instr[]): void {
    const { b, width } = this;
    const xs = elements.map((x) => b.widen(x, width));
    const sum = (list: readonly Instr[]) => list.reduce((a, x) => b.binary("add", a, x));
    const count = b.binary("add", b.read(this.#count, 0), b.literal("f32", xs.length));
    const mean = b.read(this.#mean, 0);
    const away = xs.map((x) => b.binary("sub", x, mean));
    const weight = b.binary("div", b.literal("f32", 1), count);
    const next = b.binary("add", mean, b.binary("mul", sum(away), b.widen(weight, width)));
    const growth = sum(xs.map((x, q) => b.binary("mul", away[q]!, b.binary("sub", x, next))));
    b.set(this.#squares, 0, b.binary("add", b.read(this.#squares, 0), growth));
    b.set(this.#mean, 0, next);
    b.set(this.#count, 0, count);
  }
  state(): State {
    const { b } = this;
    return [b.widen(b.read(this.#count, 0), this.width), b.read(this.#mean, 0), b.read(this.#squares, 0)];
  }
}
