/**
 * Running folds: what a lane does with each element of its part of a row.
 *
 * A running fold may keep other numbers than the state it ends in, where that is cheaper per element:
 *
 * - `max`/`min` of floats take the target's bare extreme and, apart, the largest bit pattern seen: a NaN has a larger one
 *   than any number, so one test at the end of the row finds it, where a test per element would cost more than the
 *   extreme itself.
 * - `maxSumExp` rescales its sum once per turn of the loop and not per element, relative to the largest element held to
 *   finite numbers, so that no difference of infinities arises. It uses the target's own `exp`: an error of a few ULP per
 *   term, and of 2·|x| more where a term is e^−|x|, is less than what a sum of that many terms may be off by anyway. Where
 *   that is known to keep NaN, the sum is NaN if and only if an element is, and nothing else looks for one.
 * - `moments` takes the elements of a turn as a group of their own (their mean, their squared deviations from it) and
 *   joins it to what it has.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import { combineStates } from "../../kernel/combine.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import { identityOf, stepOf, withinRange } from "../../kernel/reducers.ts";
import type { ReduceKind, Value } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
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

/** What a fold gets to see of one turn of the loop. */
export interface Turn {
  /** In the order of the row. */
  readonly elements: readonly Instr[];
  /** Row-major places within the row. */
  readonly positions: readonly Instr[];
}

export interface Running {
  reset(): void;
  take(turn: Turn): void;
  /** What has been taken in, as a state to combine. */
  state(): State;
}

/**
 * A fresh accumulator for elements of a width.
 *
 * @param options `apart`: the components of a vector are different rows; else they are elements of one, and a fold may
 * put them together at once where that saves arithmetic. `builtins`: the target's functions that can be relied on.
 */
export function running(
  b: IrBuilder,
  fold: FoldSpec,
  width: 1 | 4,
  { apart, builtins }: { readonly apart: boolean; readonly builtins: Target["builtins"] },
): Running {
  switch (fold.kind) {
    case "maxSumExp":
      return new RunningMaxSumExp(b, width, apart ? width : 1, builtins.exp);
    case "moments":
      return new RunningMoments(b, fold, apart ? width : 1);
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
  switch (fold.kind) {
    case "plain":
      return [[fold.reduce, withinRange(b, fold.reduce, state[isIndexed(fold) ? 1 : 0]!)]];
    case "maxSumExp":
      return exponentialBindings(b, fold, state[0]!, state[1]!);
    case "moments":
      return [[fold.squares, state[2]!]];
  }
}

function exponentialBindings(
  b: IrBuilder,
  { max, sums }: MaxSumExpFold,
  m: Instr,
  s: Instr,
): [Value, Instr][] {
  const float = (x: number) => b.widen(b.literal("f32", x), s.type.width);
  const least = b.binary("eq", m, float(-Infinity));
  const most = b.binary("eq", m, float(Infinity));
  return [
    [max, m],
    ...sums.map(({ reduce, shift }): [Value, Instr] => [
      reduce,
      shift === "max"
        // ∞ − ∞ somewhere in the row.
        ? b.select(b.binary("or", least, most), float(NaN), s)
        : b.select(least, float(0), b.select(most, float(Infinity), s)),
    ]),
  ];
}

const largestFinite = 3.4028234663852886e38;

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
  take({ elements }: Turn): void {
    const { b, fold } = this;
    const together = elements.map((x) => b.widen(x, this.width))
      .reduce((a, x) => stepOf(b, fold.reduce.op, a, x));
    b.set(this.#array, 0, stepOf(b, fold.reduce.op, b.read(this.#array, 0), together));
  }
  state(): State {
    return [this.b.read(this.#array, 0)];
  }
}

/** By its bits. */
function isNaN(b: IrBuilder, x: Instr): Instr {
  const bits = (value: number) => b.widen(b.literal("u32", value), x.type.width);
  return b.binary("lt", bits(0x7f800000), b.binary("and", b.bitcast("u32", x), bits(0x7fffffff)));
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
  /** NaN if one was seen, else the value; `width` 1: among all components. */
  over(value: Instr, width: 1 | 4 = this.width): Instr {
    const { b } = this;
    const seen = gathered(b, [b.read(this.#array, 0)], width, "max");
    const found = b.binary("lt", b.widen(b.literal("u32", 0x7f800000), width), seen);
    return b.select(found, b.widen(b.literal("f32", NaN), width), value);
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
  take({ elements }: Turn): void {
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
  take({ elements, positions }: Turn): void {
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
  /** Where the sum tells of NaN there is none. */
  readonly #watch: NaNWatch | undefined;
  constructor(
    readonly b: IrBuilder,
    readonly elementWidth: 1 | 4,
    readonly width: 1 | 4,
    expKeepsNaN: boolean,
  ) {
    this.#max = b.array("lane", wide("f32", width), 1);
    this.#sum = b.array("lane", wide("f32", width), 1);
    this.#watch = expKeepsNaN ? undefined : new NaNWatch(b, elementWidth);
  }
  #float(value: number): Instr {
    return this.b.widen(this.b.literal("f32", value), this.width);
  }
  /** What the sum is relative to. */
  #reference(max: Instr): Instr {
    const { b } = this;
    return b.binary("max", b.binary("min", max, this.#float(largestFinite)), this.#float(-largestFinite));
  }
  reset(): void {
    this.b.set(this.#max, 0, this.#float(-Infinity));
    this.b.set(this.#sum, 0, this.#float(0));
    this.#watch?.reset();
  }
  take({ elements }: Turn): void {
    const { b, width } = this;
    const xs = elements.map((x) => b.widen(x, this.elementWidth));
    const before = b.read(this.#max, 0);
    const max = b.binary("max", before, gathered(b, xs, width, "max"));
    const reference = this.#reference(max);
    const relative = (x: Instr) => b.unary("exp", b.binary("sub", x, reference));
    const added = gathered(b, xs.map(relative), width, "add");
    const rescaled = b.binary("mul", b.read(this.#sum, 0), relative(this.#reference(before)));
    b.set(this.#sum, 0, b.binary("add", rescaled, added));
    b.set(this.#max, 0, max);
    this.#watch?.take(xs);
  }
  state(): State {
    const { b, width } = this;
    const [max, sum] = [b.read(this.#max, 0), b.read(this.#sum, 0)];
    if (this.#watch) return [max, sum].map((x) => this.#watch!.over(x, width));
    return [b.select(isNaN(b, sum), sum, max), sum];
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
  take({ elements }: Turn): void {
    const { b, width } = this;
    const many = elements.length * elements[0]!.type.width / width;
    const before = b.read(this.#count, 0);
    const mean = b.read(this.#mean, 0);
    const count = b.binary("add", before, b.literal("f32", many));
    const weight = b.binary("div", b.literal("f32", many), count);
    const own = b.binary("mul", gathered(b, elements, width, "add"), b.literal("f32", 1 / many));
    const delta = b.binary("sub", own, mean);
    const step = b.binary("mul", delta, weight);
    const between = b.binary("mul", b.binary("mul", delta, step), before);
    const within = elements.map((x) => {
      const d = b.binary("sub", x, own);
      return b.binary("mul", d, d);
    });
    const grown = b.binary("add", b.read(this.#squares, 0), between);
    b.set(this.#squares, 0, many === 1 ? grown : b.binary("add", grown, gathered(b, within, width, "add")));
    b.set(this.#mean, 0, b.binary("add", mean, step));
    b.set(this.#count, 0, count);
  }
  state(): State {
    const { b } = this;
    return [b.widen(b.read(this.#count, 0), this.width), b.read(this.#mean, 0), b.read(this.#squares, 0)];
  }
}

/** All elements of a turn in one number, or in one per component. */
function gathered(b: IrBuilder, elements: readonly Instr[], width: 1 | 4, op: "add" | "max"): Instr {
  const together = elements.reduce((a, x) => b.binary(op, a, x));
  if (together.type.width === width || width === 4) return b.widen(together, width);
  return ([0, 1, 2, 3] as const).map((c) => b.component(together, c)).reduce((a, x) => b.binary(op, a, x));
}
